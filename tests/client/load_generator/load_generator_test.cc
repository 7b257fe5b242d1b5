// SPDX-License-Identifier: Apache-2.0
#include "client/load_generator/load_generator.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "client/client.h"
#include "tests/support/fake_inference_server.h"

namespace octet::client {
namespace {

using ::testing::ElementsAre;
using testing::FakeInferenceServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string RequestOf(float value, const std::string& model = "twice") {
  const std::vector<float> values = {value, value, value};
  return SerializeInferRequest(
      {.model = model,
       .inputs = {{.name = "x",
                   .datatype = "FP32",
                   .shape = {1, 3},
                   .bytes = {reinterpret_cast<const char*>(values.data()), 12}}}});
}

LoadOptions Counted(const FakeInferenceServer& server, std::uint64_t num_requests) {
  return {.address = server.address(), .requests = {RequestOf(1)}, .num_requests = num_requests};
}

TEST(LoadReportTest, PercentilesAreThoseOfTheNearestRank) {
  LoadReport report;
  for (int i = 1; i <= 10; ++i) report.latencies_us.push_back(i);
  EXPECT_EQ(report.Percentile(0), 1);
  EXPECT_EQ(report.Percentile(0.5), 5);
  EXPECT_EQ(report.Percentile(0.51), 6);
  EXPECT_EQ(report.Percentile(0.9), 9);
  EXPECT_EQ(report.Percentile(0.99), 10);
  EXPECT_EQ(report.Percentile(1), 10);
}

TEST(LoadReportTest, OneAnswerIsEveryPercentileAndNoneIsZero) {
  LoadReport report;
  EXPECT_EQ(report.Percentile(0.99), 0);
  report.latencies_us = {7};
  EXPECT_EQ(report.Percentile(0), 7);
  EXPECT_EQ(report.Percentile(0.99), 7);
}

TEST(LoadReportTest, ThroughputIsOfGoodAnswersAndZeroWithoutTime) {
  LoadReport report;
  report.num_answered = 10;
  EXPECT_EQ(report.throughput(), 0);
  report.seconds = 4;
  report.failures = {{"NOT_FOUND: a", 2}, {"INTERNAL: b", 3}};
  EXPECT_EQ(report.throughput(), 2.5);
  EXPECT_EQ(report.num_failed(), 5U);
}

TEST(LoadGeneratorTest, SendsAsManyAsAskedInTurnAndHandsOutEachAnswer) {
  const FakeInferenceServer server;
  LoadOptions options = Counted(server, 10);
  options.requests = {RequestOf(1), RequestOf(2), RequestOf(3)};
  options.num_in_flight = 4;
  options.num_connections = 2;
  std::vector<int> answers(3, 0);
  options.on_response = [&](std::size_t index, const std::string& bytes) {
    const auto response = ParseInferResponse(bytes);
    ASSERT_TRUE(response.ok()) << response.status();
    float value = 0;
    std::memcpy(&value, response->outputs[0].bytes.data(), sizeof(value));
    EXPECT_EQ(value, 2 * (static_cast<float>(index) + 1));
    ++answers[index];
  };
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 10U);
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_THAT(answers, ElementsAre(4, 3, 3));
  EXPECT_EQ(server.num_infer_calls(), 10);
  EXPECT_EQ(report->latencies_us.size(), 10U);
  EXPECT_TRUE(std::is_sorted(report->latencies_us.begin(), report->latencies_us.end()));
  EXPECT_GT(report->seconds, 0);
}

TEST(LoadGeneratorTest, FailuresAreCountedByCodeWithTheFirstMessage) {
  FakeInferenceServer server;
  server.edit = [](int call, inference::ModelInferResponse&) {
    if (call == 0) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full " + std::to_string(call));
  };
  const auto report = GenerateLoad(Counted(server, 4));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 1U);
  EXPECT_EQ(report->latencies_us.size(), 1U);
  EXPECT_THAT(report->failures, ElementsAre(Pair("RESOURCE_EXHAUSTED: full 1", 3)));
  EXPECT_EQ(report->failed_latencies_us.size(), 3U);
  EXPECT_TRUE(
      std::is_sorted(report->failed_latencies_us.begin(), report->failed_latencies_us.end()));
  EXPECT_GT(Percentile(report->failed_latencies_us, 0.5), 0);
}

TEST(LoadGeneratorTest, PausesBeforeEachRequestAreNotPartOfItsLatency) {
  const FakeInferenceServer server;
  LoadOptions options = Counted(server, 3);
  options.pause = std::chrono::milliseconds(100);
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 3U);
  EXPECT_GE(report->seconds, 0.3);
  const auto& latencies = report->latencies_us;
  EXPECT_LT((latencies[0] + latencies[1] + latencies[2]) / 1e6, report->seconds - 0.29);
  options.num_in_flight = 2;
  EXPECT_THAT(GenerateLoad(options).status().message(), HasSubstr("one request in flight"));
}

TEST(LoadGeneratorTest, AnswersBeyondTheTimeoutFail) {
  FakeInferenceServer server;
  server.delay = std::chrono::milliseconds(300);
  LoadOptions options = Counted(server, 1);
  options.timeout = std::chrono::milliseconds(30);
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 0U);
  ASSERT_EQ(report->failures.size(), 1U);
  EXPECT_THAT(report->failures.begin()->first, HasSubstr("DEADLINE_EXCEEDED"));
}

TEST(LoadGeneratorTest, AClosedLoopMeasuresForTheDuration) {
  FakeInferenceServer server;
  server.delay = std::chrono::milliseconds(5);
  LoadOptions options = Counted(server, 0);
  options.warm_up = std::chrono::milliseconds(50);
  options.duration = std::chrono::milliseconds(500);
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->num_answered, 0U);
  EXPECT_LT(report->num_answered, static_cast<std::uint64_t>(server.num_infer_calls()));
  EXPECT_GT(report->Percentile(0), 5000);
  EXPECT_GT(report->seconds, 0.1);
}

TEST(LoadGeneratorTest, AnOpenLoopCountsFromWhenARequestWasDue) {
  FakeInferenceServer server;
  server.delay = std::chrono::milliseconds(20);
  LoadOptions options = Counted(server, 10);
  options.requests_per_second = 1000;  // far above the 50 that one at a time can get
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 10U);
  // The last waits for nine others: a closed loop would show 20 ms for each.
  EXPECT_GT(report->Percentile(1), 100000);
}

TEST(LoadGeneratorTest, ATimeWithoutAnyMeasuredAnswerIsNotNegative) {
  FakeInferenceServer server;
  server.delay = std::chrono::milliseconds(200);  // the first is due in the warm-up
  LoadOptions options = Counted(server, 0);
  options.warm_up = std::chrono::milliseconds(20);
  options.duration = std::chrono::milliseconds(20);
  const auto report = GenerateLoad(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->num_answered, 0U);
  EXPECT_GT(report->seconds, 0.1);
  EXPECT_LT(report->seconds, 60);
}

TEST(LoadGeneratorTest, OptionsThatMakeNoSenseAreRefused) {
  const FakeInferenceServer server;
  LoadOptions no_request = Counted(server, 1);
  no_request.requests.clear();
  LoadOptions none_in_flight = Counted(server, 1);
  none_in_flight.num_in_flight = 0;
  LoadOptions no_connection = Counted(server, 1);
  no_connection.num_connections = 0;
  LoadOptions endless = Counted(server, 0);
  endless.requests_per_second = std::numeric_limits<double>::infinity();
  LoadOptions not_a_number = Counted(server, 0);
  not_a_number.requests_per_second = std::numeric_limits<double>::quiet_NaN();
  for (const LoadOptions* const options :
       {&no_request, &none_in_flight, &no_connection, &endless, &not_a_number}) {
    EXPECT_EQ(GenerateLoad(*options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(server.num_infer_calls(), 0);
}

TEST(LoadGeneratorTest, NoServerIsUnavailableAndNamesTheAddress) {
  const auto report = GenerateLoad({.address = "127.0.0.1:1", .requests = {RequestOf(1)}});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("\"127.0.0.1:1\""));
}

}  // namespace
}  // namespace octet::client
