// SPDX-License-Identifier: Apache-2.0
#include "models/operators/arg_reduce.h"

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
using Ints = std::vector<std::int64_t>;

class ArgReduceTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ArgReduceTest);

OperatorRun ArgOf(Tensor x, const std::string& kind, std::int64_t axis) {
  OperatorRun run(MakeArgReduce());
  run.Input(std::move(x)).With("kind", kind).With("axis", axis);
  return run;
}

TEST_P(ArgReduceTest, FindsTheFirstOrTheLast) {
  const auto x = [] { return Floats({1, 2, 3}, {2, 5, 5, 1, 1, 0.5F}); };
  EXPECT_EQ(Elements<std::int64_t>(ArgOf(x(), "max", -1).Run(Kernels())->front()), (Ints{1, 0}));
  EXPECT_EQ(Elements<std::int64_t>(
                ArgOf(x(), "max", 2).With("select_last", std::int64_t{1}).Run(Kernels())->front()),
            (Ints{2, 1}));
  const auto least = ArgOf(x(), "min", 1).With("keep_dims", std::int64_t{1}).Run(Kernels());
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ((*least)[0].dims(), (Dims{1, 1, 3}));
  EXPECT_EQ(Elements<std::int64_t>((*least)[0]), (Ints{1, 1, 1}));
}

TEST_P(ArgReduceTest, TakesIntegersAndNeverPrefersNan) {
  EXPECT_EQ(Elements<std::int64_t>(
                ArgOf(Int8s({1, 4}, {-128, 3, 127, 127}), "max", 1).Run(Kernels())->front()),
            (Ints{2}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(
      Elements<std::int64_t>(ArgOf(Floats({1, 3}, {1, nan, 2}), "max", 1).Run(Kernels())->front()),
      (Ints{2}));
}

TEST(ArgReduceRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(ArgOf(Floats({1, 2}, {1, 2}), "mean", 1)), HasSubstr("kind"));
  EXPECT_THAT(message(ArgOf(Floats({1, 2}, {1, 2}), "max", 0)), HasSubstr("axis"));
  EXPECT_THAT(message(ArgOf(Bools({1, 2}, {0, 1}), "max", 1)), HasSubstr("BOOL"));
  EXPECT_THAT(message(ArgOf(Floats({1, 0}, {}), "max", 1)), HasSubstr("without elements"));
}

}  // namespace
}  // namespace octet
