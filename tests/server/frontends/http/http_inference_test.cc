// SPDX-License-Identifier: Apache-2.0
// Inference over HTTP against workers that run, with clients that are slow, gone or rude.

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "server/frontends/http/http_server.h"
#include "server/inference/inference_service.h"
#include "tests/server/frontends/http/raw_client.h"
#include "tests/support/fake_event_source.h"
#include "tests/support/fake_requests.h"
#include "tests/support/gated_model.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using boost::asio::ip::tcp;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::EndpointOf;
using ::testing::HasSubstr;
using testing::RawClient;
using ::testing::StartsWith;
using Local = boost::asio::local::stream_protocol;

bool Await(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// "gated": y = 2x on [rows, 3], one row at a time, which the test lets through; "twice": at once.
class HttpInferenceTest : public ::testing::Test {
 protected:
  HttpInferenceTest() {
    Publish("gated", testing::GatedModel(operators_));
    Publish("twice", testing::TwiceModel(operators_, 65536));
    scheduler_.Start(workers_);
    for (const ModelHandle& model : repository_.ReadyVersions()) {
      EXPECT_TRUE(scheduler_.Prepare(model->executable).ok());
    }
    service_.SetState(ServerState::kServing);
  }
  ~HttpInferenceTest() override {
    gate_.Open();
    ShutDownWorkers();
    server_.reset();
  }

  void Publish(const std::string& name, std::shared_ptr<const Executable> executable) {
    auto model = std::make_shared<ModelVersion>();
    model->name = name;
    model->version = 1;
    model->version_string = "1";
    model->executable = std::move(executable);
    model->metrics = metrics_.AddModel({name, "1", "fp32"}, {});
    repository_.Publish(std::move(model));
  }

  void Start(HttpServer::Options options = {}) {
    if (options.http_address == HttpServer::Options().http_address) {
      options.http_address = "127.0.0.1:0";
    }
    options.metrics_address = "127.0.0.1:0";
    server_ = HttpServer::Create(std::move(options),
                                 {.repository = repository_,
                                  .metrics = metrics_,
                                  .is_ready = [this] { return service_.is_ready(); },
                                  .requests_in_flight = [] { return std::int64_t{0}; },
                                  .server_version = "test"},
                                 {&service_, &workers_})
                  .value();
  }

  void ShutDownWorkers() {
    events_.ShutDown();
    scheduler_.Join();
  }

  RawClient<tcp> Connect() { return RawClient<tcp>(EndpointOf(server_->http_address())); }

  static std::string Request(const std::string& model, absl::string_view body,
                             absl::string_view fields = "Connection: close\r\n") {
    return absl::StrCat("POST /v2/models/", model, "/infer HTTP/1.1\r\nHost: x\r\n", fields,
                        "Content-Length: ", body.size(), "\r\n\r\n", body);
  }
  // Of one row of `value`.
  static std::string Row(const std::string& model, int value,
                         absl::string_view fields = "Connection: close\r\n") {
    return Request(model,
                   absl::StrCat(R"({"id": "i", "inputs": [{"name": "x", "shape": [1, 3],
                                "datatype": "FP32", "data": [)",
                                value, ",", value, ",", value, "]}]}"),
                   fields);
  }

  bool Counts(const std::string& model, const std::string& code, int count) {
    return Await([&] {
      return metrics_.Scrape().find(absl::StrCat("octet_request_failures_total{model=\"", model,
                                                 "\",version=\"1\",precision=\"fp32\",code=\"",
                                                 code, "\"} ", count, "\n")) != std::string::npos;
    });
  }

  testing::Gate gate_;
  OperatorRegistry operators_ = testing::GatedOperators(gate_);
  Metrics metrics_{{.num_workers = Scheduler::NumWorkers(1), .server_version = "test"}};
  ModelRepository repository_;
  Scheduler scheduler_{{.compute_threads = 1}, metrics_};
  InferenceService service_{repository_, scheduler_, metrics_};
  testing::FakeEventSource events_;
  PostedWork workers_{events_};
  testing::TemporaryDirectory folder_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpInferenceTest, AnswersByteForByteWhatTheProtocolSays) {
  Start();
  RawClient<tcp> client = Connect();
  client.Send(Row("twice", 2));
  EXPECT_THAT(
      client.ReadToEnd(),
      ::testing::EndsWith("\r\n\r\n{\"id\":\"i\",\"model_name\":\"twice\",\"model_version\":\"1\","
                          "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1,3],"
                          "\"data\":[4,4,4]}]}"));
}

TEST_F(HttpInferenceTest, ClientThatGoesAwayCancelsItsRequest) {
  Start();
  bool was_computed = true;
  // Nothing outside says when the server has seen it: a slow machine gets more time.
  for (auto wait = 100ms; was_computed && wait < 20s; wait *= 4) {
    gate_.Close();
    const int before = gate_.entries(2);
    RawClient<tcp> first = Connect();
    first.Send(Row("gated", 1));
    ASSERT_TRUE(gate_.AwaitInside(1, std::chrono::steady_clock::now() + 20s));
    RawClient<tcp> second = Connect();
    second.Send(Row("gated", 2));
    ASSERT_TRUE(Await([&] { return service_.requests_in_flight() == 2; }));
    second.Close();
    std::this_thread::sleep_for(wait);
    gate_.Open();
    EXPECT_THAT(first.ReadToEnd(), HasSubstr("\"data\":[2,2,2]"));
    ASSERT_TRUE(Await([&] { return service_.requests_in_flight() == 0; }));
    was_computed = gate_.entries(2) > before;
  }
  EXPECT_FALSE(was_computed) << "for nobody";
  EXPECT_TRUE(Counts("gated", "CANCELLED", 1));
}

TEST_F(HttpInferenceTest, PipelinedRequestsDoNotCancelEachOther) {
  Start();
  gate_.Open();
  RawClient<tcp> client = Connect();
  std::string requests;
  for (int i = 1; i < 20; ++i) requests += Row("gated", i, "");
  client.Send(requests + Row("gated", 20));
  const std::string answers = client.ReadToEnd();
  std::size_t at = 0;
  for (int i = 1; i <= 20; ++i) {
    at = answers.find(absl::StrCat("\"data\":[", 2 * i, ",", 2 * i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(HttpInferenceTest, SlowSenderIsToldAndClosed) {
  Start({.limits = {.rate_time = 100ms, .min_bytes_in_rate_time = 1000}});
  RawClient<tcp> client = Connect();
  const std::string request = Row("twice", 1, "Connection: close\r\nX: y\r\n");
  client.Send(request.substr(0, request.size() - 1));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  RawClient<tcp> chunks = Connect();
  chunks.Send(
      "POST /v2/models/twice/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n1\r\n{\r\n");
  EXPECT_THAT(chunks.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpInferenceTest, SteadySenderIsNotSlow) {
  Start({.limits = {.rate_time = 400ms, .min_bytes_in_rate_time = 2}});
  RawClient<tcp> client = Connect();
  const std::string request = Row("twice", 1);
  const std::size_t head = request.find("\r\n\r\n") + 4;
  client.Send(request.substr(0, head));
  for (std::size_t at = head; at < request.size(); at += 4) {
    client.Send(request.substr(at, 4));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpInferenceTest, SlowReaderIsClosedAndItsAnswerFreed) {
  const std::string path = folder_ / "s";
  Start({.http_address = "unix:" + path,
         .limits = {.rate_time = 100ms, .min_bytes_in_rate_time = 1 << 20}});
  constexpr std::size_t kRows = 60'000;
  const std::string json = absl::StrCat(
      R"({"inputs": [{"name": "x", "shape": [)", kRows,
      R"(, 3], "datatype": "FP32", "parameters": {"binary_data_size": )", kRows * 12, "}}]}");
  std::vector<float> values(kRows * 3, 0.123456789F);
  std::string body = json;
  body.append(reinterpret_cast<const char*>(values.data()), kRows * 12);
  RawClient<Local> client{Local::endpoint(path)};
  client.Send(Request(
      "twice", body,
      absl::StrCat("Connection: close\r\nInference-Header-Content-Length: ", json.size(), "\r\n")));
  // Its buffer is full; the server gives up.
  std::this_thread::sleep_for(1s);
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer.substr(0, 64), StartsWith("HTTP/1.1 200 "));
  EXPECT_LT(answer.size(), kRows * 3 * 10) << "not the whole of it";
}

TEST_F(HttpInferenceTest, ShutdownAnswersWhatIsInsideAndRefusesTheRest) {
  Start();
  RawClient<tcp> inside = Connect();
  RawClient<tcp> idle = Connect();
  inside.Send(Row("gated", 1, ""));
  ASSERT_TRUE(gate_.AwaitInside(1, std::chrono::steady_clock::now() + 20s));
  server_->EndConnections();
  EXPECT_EQ(idle.ReadToEnd(), "");
  service_.gate().Close();
  gate_.Open();
  ShutDownWorkers();
  server_->Finish(std::chrono::steady_clock::now() + 20s);
  const std::string answer = inside.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("\"data\":[2,2,2]"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(HttpInferenceTest, RequestsAfterTheWorkersAreUnavailable) {
  Start();
  ShutDownWorkers();
  RawClient<tcp> client = Connect();
  client.Send(Row("twice", 1));
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpInferenceTest, CallersThatAreNotAuthorizedAreToldBeforeTheirBody) {
  Start({.authorize_http = [](const Route& route, const RequestHead& head, const HttpPeer& peer) {
    EXPECT_TRUE(peer.is_own_machine);
    if (route.id != RouteId::kInfer || head.Find("Authorization") == "Bearer x") {
      return absl::OkStatus();
    }
    return absl::UnauthenticatedError("wants a token");
  }});
  RawClient<tcp> client = Connect();
  client.Send("POST /v2/models/twice/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 401 "));
  RawClient<tcp> known = Connect();
  known.Send(Row("twice", 1, "Connection: close\r\nAuthorization: Bearer x\r\n"));
  EXPECT_THAT(known.ReadToEnd(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpInferenceTest, DeadlineIsTheRequests) {
  Start();
  RawClient<tcp> first = Connect();
  first.Send(Row("gated", 1));
  ASSERT_TRUE(gate_.AwaitInside(1, std::chrono::steady_clock::now() + 20s));
  RawClient<tcp> second = Connect();
  second.Send(Request("gated", R"({"parameters": {"timeout": 1000}, "inputs": [{"name": "x",
      "shape": [1, 3], "datatype": "FP32", "data": [2, 2, 2]}]})"));
  ASSERT_TRUE(Await([&] { return service_.gate().counts().entered == 2; }));
  std::this_thread::sleep_for(5ms);
  gate_.Open();
  EXPECT_THAT(second.ReadToEnd(), StartsWith("HTTP/1.1 504 "));
}

}  // namespace
}  // namespace octet
