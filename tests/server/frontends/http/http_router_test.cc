// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/http_router.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "server/frontends/http/http_access.h"
#include "tests/server/frontends/http/served_rooms.h"

namespace octet {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string FieldOf(const HttpReply& reply, absl::string_view name) {
  for (const HeaderField& field : reply.fields) {
    if (field.name == name) return field.value;
  }
  return "";
}

class HttpRouterTest : public ::testing::Test {
 protected:
  HttpReply Ask(RequestHead head, absl::string_view body = "",
                HttpSurface surface = HttpSurface::kAll, HttpPeer peer = {.is_own_machine = true}) {
    const HttpRooms rooms = served_.rooms();
    HttpRouter router(surface, AuthorizeBy(*access_, ListenerKind::kHttp), rooms, nullptr);
    std::variant<std::size_t, HttpReply> begun = router.Begin(head, peer);
    if (auto* const reply = std::get_if<HttpReply>(&begun)) return *reply;
    HttpRequest request;
    request.head = std::move(head);
    request.peer = peer;
    if (!body.empty()) {
      EXPECT_TRUE(request.body.Grow(body.size()));
      std::memcpy(request.body.room().data(), body.data(), body.size());
      request.body.Commit(body.size());
    }
    HttpReply answer;
    router.Handle(std::move(request), [&answer](HttpReply reply) { answer = std::move(reply); });
    return answer;
  }
  HttpReply Get(std::string target) { return Ask({.method = "GET", .target = std::move(target)}); }
  HttpReply Post(std::string target, absl::string_view body) {
    return Ask({.method = "POST", .target = std::move(target), .content_length = body.size()},
               body);
  }

  testing::ServedRooms served_;
  std::optional<AccessControl> access_{std::in_place, AccessPolicy()};
};

TEST_F(HttpRouterTest, HealthFollowsReadiness) {
  EXPECT_EQ(Get("/v2/health/live").status, 200U);
  EXPECT_EQ(Get("/v2/health/ready").status, 200U);
  EXPECT_EQ(Get("/v2/models/good/ready").status, 200U);
  served_.is_ready = false;
  EXPECT_EQ(Get("/v2/health/live").status, 200U);
  EXPECT_EQ(Get("/v2/health/ready").status, 503U);
  EXPECT_EQ(Get("/v2/health/ready").body, "{\"ready\":false}");
  EXPECT_EQ(Get("/v2/models/good/ready").status, 503U);
}

TEST_F(HttpRouterTest, ServerMetadata) {
  const json metadata = json::parse(Get("/v2").body);
  EXPECT_EQ(metadata["name"], "octet");
  EXPECT_EQ(metadata["version"], "1.2.3");
  EXPECT_EQ(metadata["extensions"],
            json({"binary_tensor_data", "classification", "model_configuration", "statistics"}));
}

TEST_F(HttpRouterTest, ModelMetadataIsTheProtocols) {
  for (const char* target :
       {"/v2/models/good", "/v2/models/good/versions/1?x=y", "/v2/models/g%6Fod"}) {
    const HttpReply reply = Get(target);
    ASSERT_EQ(reply.status, 200U) << target << reply.body;
    const json metadata = json::parse(reply.body);
    EXPECT_EQ(metadata["name"], "good");
    EXPECT_EQ(metadata["versions"], json({"1"}));
    EXPECT_EQ(metadata["inputs"],
              json::parse(R"([{"name": "x", "datatype": "FP32", "shape": [-1, 4]}])"));
    EXPECT_EQ(metadata["outputs"],
              json::parse(R"([{"name": "y", "datatype": "FP32", "shape": [-1, 2]}])"));
  }
}

TEST_F(HttpRouterTest, ConfigurationHasTheShapesWithoutRows) {
  const json config = json::parse(Get("/v2/models/good/config").body);
  EXPECT_GT(config["max_batch_size"], 0);
  EXPECT_EQ(config["input"],
            json::parse(R"([{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}])"));
  EXPECT_EQ(config["parameters"]["precision"]["string_value"], "int4");
}

TEST_F(HttpRouterTest, StatisticsAreOfAVersionOfAModelOrOfAll) {
  for (const char* target :
       {"/v2/models/stats", "/v2/models/good/stats", "/v2/models/good/versions/1/stats"}) {
    const json statistics = json::parse(Get(target).body);
    ASSERT_EQ(statistics["model_stats"].size(), 1U) << target;
    EXPECT_EQ(statistics["model_stats"][0]["name"], "good");
    EXPECT_EQ(statistics["model_stats"][0]["inference_stats"]["success"]["count"], 0);
  }
  EXPECT_EQ(Get("/v2/models/none/stats").status, 404U);
}

TEST_F(HttpRouterTest, IndexTellsWhatServesAndWhatDoesNot) {
  EXPECT_EQ(json::parse(Post("/v2/repository/index", "").body).size(), 2U);
  const json ready = json::parse(Post("/v2/repository/index", R"({"ready": true})").body);
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0]["state"], "READY");
  EXPECT_EQ(Post("/v2/repository/index", "{").status, 400U);
  EXPECT_EQ(Post("/v2/repository/index", R"({"ready": 1})").status, 400U);
}

TEST_F(HttpRouterTest, UnknownNamesAreNotFoundAndRefusedModelsUnavailable) {
  EXPECT_EQ(Get("/v2/models/none").status, 404U);
  EXPECT_EQ(Get("/v2/models/none/ready").status, 404U);
  EXPECT_EQ(Get("/v2/models/good/versions/7").status, 404U);
  EXPECT_EQ(Get("/v2/models/good/versions/x").status, 400U);
  EXPECT_EQ(Get("/v2/models/bad").status, 503U);
  EXPECT_EQ(Get("/v2/models/bad/ready").status, 503U);
  EXPECT_THAT(json::parse(Get("/v2/models/none").body)["error"].get<std::string>(),
              HasSubstr("\"none\" is unknown"));
}

TEST_F(HttpRouterTest, UnknownPathsAreNotFound) {
  for (const char* target : {"/v3", "/v2/", "/v2/models", "/v2/models/good/", "/v2/health",
                             "/v2/models/good/versions", "/../etc/passwd", "//", "/metrics/"}) {
    EXPECT_EQ(Get(target).status, 404U) << target;
  }
  for (const char* target :
       {"*", "", "/\xff\xfe", "/v2/models/%", "/v2/models/%0", "/v2/%zz", "/v2/models/a%00b"}) {
    EXPECT_EQ(Get(target).status, 400U) << target;
  }
}

TEST_F(HttpRouterTest, OtherMethodsOnKnownPathsAreNotAllowed) {
  const HttpReply reply = Post("/metrics", "");
  EXPECT_EQ(reply.status, 405U);
  EXPECT_EQ(FieldOf(reply, "Allow"), "GET, HEAD");
  EXPECT_EQ(FieldOf(Get("/v2/models/good/infer"), "Allow"), "POST");
  EXPECT_EQ(FieldOf(Ask({.method = "DELETE", .target = "/v2/logging"}), "Allow"),
            "GET, HEAD, POST");
  EXPECT_EQ(Post("/none", "").status, 404U);
  EXPECT_EQ(Ask({.method = "HEAD", .target = "/v2"}).status, 200U);
}

TEST_F(HttpRouterTest, MetricsAreOnBothAddressesAndNothingElseOnTheirOwn) {
  EXPECT_THAT(Get("/metrics").body, HasSubstr("octet_models_loaded 1\n"));
  EXPECT_THAT(Get("/metrics").content_type, HasSubstr("version=0.0.4"));
  const auto metrics_only = [this](std::string target) {
    return Ask({.method = "GET", .target = std::move(target)}, "", HttpSurface::kMetricsOnly)
        .status;
  };
  EXPECT_EQ(metrics_only("/metrics"), 200U);
  EXPECT_EQ(metrics_only("/"), 404U);
  EXPECT_EQ(metrics_only("/v2"), 404U);
}

TEST_F(HttpRouterTest, LongTextIsCompressedForWhoTakesIt) {
  RequestHead head{.method = "GET", .target = "/metrics"};
  head.fields.push_back({"accept-encoding", "gzip, deflate"});
  const HttpReply reply = Ask(head);
  EXPECT_EQ(FieldOf(reply, "Content-Encoding"), "gzip");
  EXPECT_LT(reply.body.size(), Get("/metrics").body.size());
}

TEST_F(HttpRouterTest, UnknownModelNameNeverReachesTheMetrics) {
  Get("/v2/models/made_up_by_a_client");
  EXPECT_THAT(Get("/metrics").body, Not(HasSubstr("made_up_by_a_client")));
}

TEST_F(HttpRouterTest, LoadingIsForThisMachineAndNoWebPage) {
  const RequestHead head{
      .method = "POST", .target = "/v2/repository/models/good/load", .content_length = 0};
  const HttpPeer other;
  EXPECT_EQ(Ask(head, "", HttpSurface::kAll, other).status, 403U);
  const HttpPeer own{.is_own_machine = true};
  EXPECT_EQ(Ask(head, "", HttpSurface::kAll, own).status, 501U) << "nobody loads here";
  RequestHead of_page = head;
  of_page.fields.push_back({"Origin", "http://localhost:8000"});
  EXPECT_EQ(Ask(of_page, "", HttpSurface::kAll, own).status, 403U);
}

TEST_F(HttpRouterTest, WithAnAccessFileRolesDecide) {
  AccessPolicy closed;
  closed.listeners.fill({.anonymous = {}, .own_machine = {}});
  access_.emplace(closed);
  std::vector<std::string> errors;
  access_->SetIdentities(std::make_shared<const IdentityList>(IdentityList::Parse(
      "board read token:board-board-board\nfront infer dns:front.example", "access", errors)));
  EXPECT_EQ(Get("/v2/health/ready").status, 200U);
  const HttpReply refused = Get("/v2/models/stats");
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(FieldOf(refused, "WWW-Authenticate"), "Bearer");
  RequestHead head{.method = "GET", .target = "/v2/models/stats"};
  head.fields.push_back({"Authorization", "Bearer board-board-board"});
  EXPECT_EQ(Ask(head).status, 200U);
  head.method = "POST";
  head.target = "/v2/models/good/infer";
  EXPECT_EQ(Ask(head).status, 403U);
  head.fields.clear();
  const HttpPeer front{
      .certificate_names = std::make_shared<const HttpPeer::CertificateNames>(
          HttpPeer::CertificateNames{{CertificateNameKind::kDns, "front.example"}})};
  EXPECT_EQ(Ask(head, "", HttpSurface::kAll, front).status, 501U) << "nobody infers here";
  head.method = "GET";
  head.target = "/metrics";
  EXPECT_EQ(Ask(head, "", HttpSurface::kMetricsOnly, front).status, 403U);
}

TEST_F(HttpRouterTest, SettingsAreToldAndNotChanged) {
  EXPECT_EQ(json::parse(Get("/v2/trace/setting").body)["trace_level"], json({"OFF"}));
  EXPECT_EQ(json::parse(Get("/v2/models/good/trace/setting").body)["trace_rate"], "1000");
  EXPECT_EQ(Get("/v2/models/none/trace/setting").status, 404U);
  EXPECT_EQ(Post("/v2/trace/setting", R"({"trace_level": ["OFF"], "trace_rate": null})").status,
            200U);
  EXPECT_EQ(Post("/v2/trace/setting", R"({"trace_file": "/etc/cron.d/x"})").status, 501U);
  EXPECT_EQ(Post("/v2/trace/setting", R"({"x": "1"})").status, 400U);
  EXPECT_EQ(json::parse(Get("/v2/logging").body)["log_info"], true);
  EXPECT_EQ(Post("/v2/logging", R"({"log_info": true})").status, 200U);
  EXPECT_EQ(Post("/v2/logging", R"({"log_file": "/root/.bashrc"})").status, 501U);
  EXPECT_EQ(Post("/v2/logging", R"({"log_verbose_level": "1"})").status, 400U);
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").status, 501U);
}

TEST_F(HttpRouterTest, ControlBodiesAreSmallAndPlain) {
  RequestHead head{.method = "POST", .target = "/v2/repository/index", .content_length = 2};
  head.fields.push_back({"Content-Encoding", "gzip"});
  EXPECT_EQ(Ask(head, "{}").status, 415U);
}

}  // namespace
}  // namespace octet
