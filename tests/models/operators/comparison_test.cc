// SPDX-License-Identifier: Apache-2.0

#include "models/operators/comparison.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ComparisonTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ComparisonTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(ComparisonTest, EveryKindWithBroadcasting) {
  const auto run = [&](std::unique_ptr<const Operator> op) {
    OperatorRun node(std::move(op));
    node.Input(Floats({2, 2}, {1, 2, 3, 2})).Constant(FloatConstant({1}, {2}));
    return node.First<std::uint8_t>(Kernels());
  };
  EXPECT_EQ(run(MakeEqual()), (std::vector<std::uint8_t>{0, 1, 0, 1}));
  EXPECT_EQ(run(MakeNotEqual()), (std::vector<std::uint8_t>{1, 0, 1, 0}));
  EXPECT_EQ(run(MakeGreater()), (std::vector<std::uint8_t>{0, 0, 1, 0}));
  EXPECT_EQ(run(MakeLess()), (std::vector<std::uint8_t>{1, 0, 0, 0}));
}

TEST_P(ComparisonTest, IntegersAreComparedAsIntegers) {
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  OperatorRun run(MakeEqual());
  run.Input(MakeTensor(DataType::kInt64, {1, 1}, Ints{big}))
      .Input(MakeTensor(DataType::kInt64, {1, 1}, Ints{big - 1}));
  EXPECT_EQ(run.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{0}));
}

TEST_P(ComparisonTest, BytesHaveTheirSigns) {
  using Bytes = std::vector<std::int8_t>;
  OperatorRun run(MakeLess());
  run.Input(MakeTensor(DataType::kInt8, {3, 1}, Bytes{-1, 5, 127}))
      .Input(MakeTensor(DataType::kInt8, {3, 1}, Bytes{1, -128, 127}));
  EXPECT_EQ(run.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{1, 0, 0}));
}

TEST(ComparisonRuleTest, RefusesAQuantization) {
  OperatorRun run(MakeEqual());
  run.Input(Int8s({1, 1}, {1}), Quantization(0.5F, 0)).Input(Int8s({1, 1}, {1}));
  EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kUnimplemented);
}

TEST(ComparisonRuleTest, RefusesTwoTypes) {
  OperatorRun run(MakeLess());
  run.Input(Floats({1, 1}, {1})).Input(Bools({1, 1}, {1}));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
