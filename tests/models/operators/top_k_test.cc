// SPDX-License-Identifier: Apache-2.0
#include "models/operators/top_k.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class TopKTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(TopKTest);

OperatorRun Best(Tensor x, std::int64_t k) {
  OperatorRun run(MakeTopK());
  run.Input(std::move(x)).With("k", k).Outputs(2);
  return run;
}

TEST_P(TopKTest, BestFirstAndOfEqualOnesTheFirst) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto largest = Best(Floats({2, 4}, {3, 1, 3, 2, nan, -1, 0, -1}), 3).Run(Kernels());
  ASSERT_TRUE(largest.ok()) << largest.status();
  EXPECT_EQ(Elements<float>((*largest)[0]), (std::vector<float>{3, 3, 2, 0, -1, -1}));
  EXPECT_EQ(Elements<std::int64_t>((*largest)[1]), (std::vector<std::int64_t>{0, 2, 3, 2, 1, 3}));
  const auto least =
      Best(Floats({1, 3}, {3, 1, 2}), 2).With("least", std::int64_t{1}).Run(Kernels());
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ(Elements<float>((*least)[0]), (std::vector<float>{1, 2}));
}

TEST(TopKRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(Best(Floats({1, 2}, {1, 2}), 3)), HasSubstr("at least 3"));
  EXPECT_THAT(message(Best(Floats({1, 2}, {1, 2}), 0)), HasSubstr("\"k\""));
  EXPECT_THAT(message(Best(Floats({1, 2}, {1, 2}), 1).Open(0, 1)), HasSubstr("at least 1"));
  EXPECT_THAT(message(Best(Int8s({1, 2}, {1, 2}), 1)), HasSubstr("INT8"));
}

}  // namespace
}  // namespace octet
