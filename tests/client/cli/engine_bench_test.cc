// SPDX-License-Identifier: Apache-2.0
#include "client/cli/engine_bench.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kDigits[] = "models/zoo/repository/digits-mlp-int8/1";

TEST(EngineBenchTest, MeasuresTheSelfTestsRows) {
  const auto result = BenchEngine({.bundle = kDigits,
                                   .kernel_set = "reference",
                                   .batch = 16,  // more rows than the self-test has
                                   .num_threads = 2,
                                   .duration = std::chrono::milliseconds(20)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->kernel_set, "reference");
  EXPECT_EQ(result->batch, 16);
  EXPECT_EQ(result->num_threads, 2);
  EXPECT_GT(result->best_us, 0);
  EXPECT_GE(result->median_us, result->best_us);
  EXPECT_GT(result->rows_per_second, 0);
}

TEST(EngineBenchTest, RunsOnceHoweverShortTheDuration) {
  const auto result = BenchEngine({.bundle = kDigits, .duration = std::chrono::milliseconds(0)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->best_us, 0);
}

TEST(EngineBenchTest, AProfileHasEveryStepOfTheBundle) {
  const auto profile = ProfileEngine({.bundle = kDigits,
                                      .kernel_set = "reference",
                                      .batch = 3,
                                      .duration = std::chrono::milliseconds(20)});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->kernel_set, "reference");
  EXPECT_EQ(profile->batch, 3);
  EXPECT_GT(profile->median_us, 0);
  ASSERT_EQ(profile->kinds.size(), 2U);
  EXPECT_EQ(profile->kinds[0].op, "FullyConnected");
  EXPECT_EQ(profile->kinds[0].num_steps, 3);
  EXPECT_EQ(profile->kinds[1].op, "Softmax");
  ASSERT_EQ(profile->steps.size(), 4U);
  for (const StepTime& step : profile->steps) EXPECT_FALSE(step.kernel.empty()) << step.node;
}

TEST(EngineBenchTest, NoRowsOrThreadsAreRefused) {
  for (const EngineBenchOptions& options :
       {EngineBenchOptions{.bundle = kDigits, .batch = 0},
        EngineBenchOptions{.bundle = kDigits, .num_threads = 0}}) {
    for (const absl::Status& status :
         {BenchEngine(options).status(), ProfileEngine(options).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr("at least 1"));
    }
  }
}

TEST(EngineBenchTest, AnUnknownKernelSetIsRefused) {
  const absl::Status status = BenchEngine({.bundle = kDigits, .kernel_set = "mmx"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mmx"));
}

TEST(EngineBenchTest, JsonHasTheNamesThatProgramsRead) {
  const auto json = EngineResultJson({.kernel_set = "avx2",
                                      .batch = 8,
                                      .num_threads = 2,
                                      .best_us = 1.5,
                                      .median_us = 2.5,
                                      .rows_per_second = 100});
  EXPECT_EQ(json.dump(),
            "{\"kernel_set\":\"avx2\",\"batch\":8,\"threads\":2,\"best_us\":1.5,\"median_us\":2.5,"
            "\"rows_per_second\":100.0}");
}

}  // namespace
}  // namespace octet::cli
