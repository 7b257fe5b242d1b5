// SPDX-License-Identifier: Apache-2.0
#include "client/cli/endpoint_bench.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "client/cli/npy.h"
#include "tests/support/fake_inference_server.h"
#include "tests/support/small_bundle.h"
#include "tests/support/tiny_operators.h"

namespace octet::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeInferenceServer;
using testing::FloatsOf;
using testing::FloatTensor;
using ::testing::HasSubstr;
using ::testing::Optional;
using testing::TemporaryDirectory;

class EndpointBenchTest : public ::testing::Test {
 protected:
  EndpointBenchOptions Options() {
    const std::string inputs = directory_ / "x.npy";
    EXPECT_TRUE(WriteNpy(inputs, FloatTensor({3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}).view()).ok());
    return {.address = server_.address(),
            .models = {"twice"},
            .inputs = {inputs},
            .batch = 2,  // the last request has one row
            .duration = std::chrono::milliseconds(20),
            .num_rounds = 2};
  }

  TemporaryDirectory directory_;
  FakeInferenceServer server_;
};

TEST_F(EndpointBenchTest, CollectsEveryRowAndComparesWithTheFirst) {
  EndpointBenchOptions options = Options();
  options.models = {"twice", "twice"};
  options.labels = directory_ / "labels.npy";
  Tensor labels(DataType::kInt64, {3});
  labels.as<std::int64_t>()[1] = 1;
  ASSERT_TRUE(WriteNpy(options.labels, labels.view()).ok());
  const auto results = BenchEndpoints(options);
  ASSERT_TRUE(results.ok()) << results.status();
  ASSERT_EQ(results->size(), 2U);
  for (const EndpointResult& result : *results) {
    EXPECT_EQ(result.version, "1");
    EXPECT_EQ(result.outputs.dims(), (Dims{3, 3}));
    EXPECT_THAT(FloatsOf(result.outputs), ElementsAre(2, 0, 0, 0, 2, 0, 0, 0, 2));
    EXPECT_THAT(result.accuracy, Optional(::testing::DoubleEq(2.0 / 3)));
    EXPECT_EQ(result.load.num_failed(), 0U);
  }
  EXPECT_FALSE((*results)[0].agreement.has_value());
  EXPECT_THAT((*results)[1].agreement, Optional(1));
  EXPECT_THAT((*results)[1].cosine, Optional(1));
}

TEST_F(EndpointBenchTest, WithoutRowsItSendsRandomOnes) {
  EndpointBenchOptions options = Options();
  options.inputs.clear();
  const auto results = BenchEndpoints(options);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[0].outputs.dims(), (Dims{64, 3}));
}

TEST_F(EndpointBenchTest, AnUnknownModelIsNamed) {
  EndpointBenchOptions options = Options();
  options.models = {"twice", "thrice"};
  const absl::Status status = BenchEndpoints(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model \"thrice\": "));
}

TEST_F(EndpointBenchTest, AFailureWhileCollectingIsAnError) {
  server_.edit = [](int, inference::ModelInferResponse&) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  };
  const absl::Status status = BenchEndpoints(Options()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("2 of 2 requests failed"), HasSubstr("INTERNAL: broken")));
}

TEST_F(EndpointBenchTest, AnswersThatAreNoRowsOfFloatsAreErrors) {
  server_.edit = [](int, inference::ModelInferResponse& response) {
    response.mutable_outputs(0)->set_datatype("INT64");
    return grpc::Status::OK;
  };
  EXPECT_EQ(BenchEndpoints(Options()).status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(EndpointBenchTest, AnswersWithoutOutputsAreErrors) {
  server_.edit = [](int, inference::ModelInferResponse& response) {
    response.clear_outputs();
    response.clear_raw_output_contents();
    return grpc::Status::OK;
  };
  const absl::Status status = BenchEndpoints(Options()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("holds no output"));
}

TEST_F(EndpointBenchTest, ModelsThatAnswerNothingAreNotCompared) {
  server_.edit = [](int, inference::ModelInferResponse& response) {
    response.mutable_raw_output_contents(0)->clear();
    return grpc::Status::OK;
  };
  EndpointBenchOptions options = Options();
  options.models = {"twice", "twice"};
  const auto results = BenchEndpoints(options);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_FALSE((*results)[1].agreement.has_value());
}

TEST_F(EndpointBenchTest, ALabelThatIsNoClassIsRefusedBeforeAnythingIsMeasured) {
  EndpointBenchOptions options = Options();
  options.labels = directory_ / "labels.npy";
  Tensor labels(DataType::kInt64, {3});
  labels.as<std::int64_t>()[2] = 3;
  ASSERT_TRUE(WriteNpy(options.labels, labels.view()).ok());
  const absl::Status status = BenchEndpoints(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "\"" + options.labels + "\" has the label 3, wants one of 3 classes");
  EXPECT_EQ(server_.num_infer_calls(), 2);  // only those that collect the rows
}

TEST_F(EndpointBenchTest, FailuresWhileMeasuringAreCounted) {
  server_.edit = [](int call, inference::ModelInferResponse&) {
    if (call < 2) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  };
  const auto results = BenchEndpoints(Options());
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[0].load.num_answered, 0U);
  EXPECT_GT((*results)[0].load.num_failed(), 0U);
  for (const absl::Status& status : {CheckAllAnswered(*results), CheckSomeAnswered(*results)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("model \"twice\": "),
                      HasSubstr(" measured requests failed, the first with UNAVAILABLE: gone")));
  }
}

TEST_F(EndpointBenchTest, CountsBelowOneAreRefused) {
  EndpointBenchOptions options = Options();
  options.batch = 0;
  EXPECT_EQ(BenchEndpoints(options).status().code(), absl::StatusCode::kInvalidArgument);
}

std::vector<EndpointResult> TwoResults() {
  std::vector<EndpointResult> results(2);
  results[0].model = "a";
  results[0].version = "1";
  results[0].outputs = Tensor(DataType::kFloat32, {4, 10});
  results[0].load.num_answered = 4;
  results[0].load.seconds = 2;
  results[0].load.latencies_us = {100, 200, 300, 400};
  results[1].model = "b";
  results[1].outputs = Tensor(DataType::kFloat32, {4, 10});
  results[1].accuracy = 0.5;
  results[1].agreement = 0.75;
  results[1].cosine = 0.999;
  results[1].load.failures = {{"UNAVAILABLE: gone", 3}};
  return results;
}

TEST(EndpointResultTest, TheTableShowsWhatIsKnown) {
  EXPECT_EQ(ResultTable(TwoResults()),
            "model  accuracy  agreement    cosine  p50 us  p90 us  p99 us  requests/s  failed\n"
            "-----  --------  ---------  --------  ------  ------  ------  ----------  ------\n"
            "a             -          -         -     200     400     400           2       0\n"
            "b       50.00 %    75.00 %  0.999000       0       0       0           0       3\n");
}

TEST(EndpointResultTest, ChecksNameTheFirstModelThatFailsThem) {
  std::vector<EndpointResult> results = TwoResults();
  EXPECT_EQ(CheckAllAnswered(results).message(),
            "model \"b\": 3 of 3 measured requests failed, the first with UNAVAILABLE: gone");
  EXPECT_EQ(CheckSomeAnswered(results).message(), CheckAllAnswered(results).message());
  results[1].load.num_answered = 7;
  EXPECT_EQ(CheckAllAnswered(results).message(),
            "model \"b\": 3 of 10 measured requests failed, the first with UNAVAILABLE: gone");
  EXPECT_TRUE(CheckSomeAnswered(results).ok());
  results[1].load.failures["ABORTED: x"] = 1;
  EXPECT_EQ(
      CheckAllAnswered(results).message(),
      "model \"b\": 4 of 11 measured requests failed, the first with ABORTED: x, the first of "
      "others with UNAVAILABLE: gone");
  results[1].load.failures.clear();
  EXPECT_TRUE(CheckAllAnswered(results).ok());
  results[1].load.num_answered = 0;
  EXPECT_EQ(CheckSomeAnswered(results).message(),
            "model \"b\": no request fell into the time measured");
}

TEST(EndpointResultTest, JsonHasNullForWhatIsNotKnown) {
  const auto json = ResultJson(TwoResults());
  EXPECT_TRUE(json[0]["accuracy"].is_null());
  EXPECT_EQ(json[0]["rows"], 4);
  EXPECT_EQ(json[0]["p50_us"], 200);
  EXPECT_EQ(json[0]["requests_per_second"], 2);
  EXPECT_EQ(json[1]["accuracy"], 0.5);
  EXPECT_EQ(json[1]["agreement"], 0.75);
  EXPECT_EQ(json[1]["failed"], 3);
  EXPECT_EQ(json[1]["failures"]["UNAVAILABLE: gone"], 3);
}

}  // namespace
}  // namespace octet::cli
