// SPDX-License-Identifier: Apache-2.0
#include "models/operators/cumulative_sum.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;
using Reals = std::vector<float>;

Tensor Int64s(Dims dims, const std::vector<std::int64_t>& elements) {
  return MakeTensor<std::int64_t>(DataType::kInt64, std::move(dims), elements);
}

class CumulativeSumTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(CumulativeSumTest);

OperatorRun SumsOf(Tensor x, std::int64_t axis) {
  OperatorRun run(MakeCumulativeSum());
  run.Input(std::move(x)).With("axis", axis);
  return run;
}

TEST_P(CumulativeSumTest, UpToEachElementOrBeforeItFromEitherEnd) {
  const auto x = [] { return Floats({1, 2, 3}, {1, 2, 4, 10, 20, 40}); };
  EXPECT_EQ(SumsOf(x(), -1).First(Kernels()), (Reals{1, 3, 7, 10, 30, 70}));
  EXPECT_EQ(SumsOf(x(), 1).First(Kernels()), (Reals{1, 2, 4, 11, 22, 44}));
  const std::int64_t yes = 1;
  EXPECT_EQ(SumsOf(x(), 2).With("exclusive", yes).First(Kernels()), (Reals{0, 1, 3, 0, 10, 30}));
  EXPECT_EQ(SumsOf(x(), 2).With("reverse", yes).First(Kernels()), (Reals{7, 6, 4, 70, 60, 40}));
  EXPECT_EQ(SumsOf(x(), 2).With("reverse", yes).With("exclusive", yes).First(Kernels()),
            (Reals{6, 4, 0, 60, 40, 0}));
}

TEST_P(CumulativeSumTest, IntegersWrapAround) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const auto sums = SumsOf(Int64s({1, 3}, {most, 1, 1}), 1).Run(Kernels());
  ASSERT_TRUE(sums.ok()) << sums.status();
  EXPECT_EQ(Elements<std::int64_t>(sums->front()),
            (std::vector<std::int64_t>{most, std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::min() + 1}));
}

TEST(CumulativeSumRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(SumsOf(Floats({1, 2}, {1, 2}), 0)), HasSubstr("axis"));
  EXPECT_THAT(message(SumsOf(Floats({1, 2}, {1, 2}), 2)), HasSubstr("axis"));
  EXPECT_THAT(message(SumsOf(Bools({1, 2}, {0, 1}), 1)), HasSubstr("BOOL"));
  EXPECT_THAT(message(SumsOf(Floats({1, 2}, {1, 2}), 1).With("reverse", std::int64_t{2})),
              HasSubstr("reverse"));
}

}  // namespace
}  // namespace octet
