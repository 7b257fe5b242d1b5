// SPDX-License-Identifier: Apache-2.0
#include "models/operators/gather_elements.h"

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

class GatherElementsTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(GatherElementsTest);

OperatorRun ElementsOf(Tensor x, Tensor indices, std::int64_t axis) {
  OperatorRun run(MakeGatherElements());
  run.Input(std::move(x)).Input(std::move(indices)).With("axis", axis);
  return run;
}

TEST_P(GatherElementsTest, AlongAnAxis) {
  const auto x = [] { return Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}); };
  EXPECT_EQ(ElementsOf(x(), Int64s({1, 2, 2}, {2, 0, 0, 1}), 2).First(Kernels()),
            (Reals{3, 1, 4, 5}));
  EXPECT_EQ(ElementsOf(x(), Int64s({1, 1, 3}, {1, 0, 1}), 1).First(Kernels()), (Reals{4, 2, 6}));
  // Longer than x along its axis, shorter along another one.
  EXPECT_EQ(ElementsOf(x(), Int64s({1, 1, 4}, {0, 0, 2, 1}), -1).First(Kernels()),
            (Reals{1, 1, 3, 2}));
}

TEST_P(GatherElementsTest, NegativeOnesCountFromTheEndAndNoneIsOutside) {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(ElementsOf(Floats({1, 3}, {1, 2, 3}), Int64s({1, 5}, {-1, -3, -4, least, most}), 1)
                .First(Kernels()),
            (Reals{3, 1, 1, 1, 3}));
}

TEST_P(GatherElementsTest, ConstantIndicesOfOneRowServeEveryRow) {
  OperatorRun run(MakeGatherElements());
  run.Input(Floats({3, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
      .Constant(ConstantTensor::Copy(DataType::kInt64, {1, 2, 1}, std::vector<std::int64_t>{1, 0}))
      .With("axis", std::int64_t{2});
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{3, 2, 1}));
  EXPECT_EQ(run.First(Kernels()), (Reals{2, 3, 6, 7, 10, 11}));
}

TEST_P(GatherElementsTest, TakesBytes) {
  const auto found =
      ElementsOf(Int8s({2, 2}, {1, 2, 3, 4}), Int64s({2, 1}, {1, 0}), 1).Run(Kernels());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(Elements<std::int8_t>(found->front()), (std::vector<std::int8_t>{2, 3}));
}

TEST(GatherElementsRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  const auto x = [] { return Floats({1, 2, 2}, {1, 2, 3, 4}); };
  EXPECT_THAT(message(ElementsOf(x(), Int64s({1, 2, 2}, {0, 0, 0, 0}), 0)), HasSubstr("axis"));
  EXPECT_THAT(message(ElementsOf(x(), Int64s({1, 2}, {0, 0}), 1)), HasSubstr("dimensions"));
  EXPECT_THAT(message(ElementsOf(x(), Int64s({1, 3, 2}, {0, 0, 0, 0, 0, 0}), 2)),
              HasSubstr("longer than x along axis 1"));
  EXPECT_THAT(message(ElementsOf(x(), Floats({1, 2, 2}, {0, 0, 0, 0}), 1)), HasSubstr("FP32"));
  EXPECT_THAT(message(ElementsOf(Floats({1, 0}, {}), Int64s({1, 1}, {0}), 1)),
              HasSubstr("without elements"));
}

}  // namespace
}  // namespace octet
