// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gather.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class GatherTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(GatherTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_P(GatherTest, TakesRowsAndClampsTheIndex) {
  const auto table = FloatConstant({3, 2}, {1, 2, 3, 4, 5, 6});
  OperatorRun floats(MakeGather());
  floats.Input(Floats({2, 2}, {0, 2, std::numeric_limits<float>::quiet_NaN(), 1e20F}))
      .Constant(table);
  EXPECT_EQ(floats.First(Kernels()), (std::vector<float>{1, 2, 5, 6, 1, 2, 5, 6}));
  OperatorRun integers(MakeGather());
  integers.Input(MakeTensor(DataType::kInt64, {2}, Ints{INT64_MIN, 1})).Constant(table);
  EXPECT_EQ(integers.First(Kernels()), (std::vector<float>{1, 2, 3, 4}));
}

TEST_P(GatherTest, NegativeIndicesMayCountFromTheEnd) {
  OperatorRun integers(MakeGather());
  integers.Input(MakeTensor(DataType::kInt64, {5}, Ints{-1, -3, -4, INT64_MIN, 3}))
      .Constant(FloatConstant({3, 1}, {1, 2, 3}))
      .With("negative_from_end", std::int64_t{1});
  EXPECT_EQ(integers.First(Kernels()), (std::vector<float>{3, 1, 1, 1, 3}));
}

TEST_P(GatherTest, DequantizesInt8AndInt4Rows) {
  OperatorRun int8(MakeGather());
  int8.Input(Floats({2}, {1, 0}))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {2, 2}, std::vector<std::int8_t>{4, 8, 6, 9}))
      .Constant(FloatConstant({2}, {4, 3}));
  EXPECT_EQ(int8.First(Kernels()), (std::vector<float>{2, 3, 1, 2}));
  // [[-3, 7, 2], [-8, 1, 0]], packed along the last axis; groups of two columns.
  OperatorRun int4(MakeGather());
  int4.Input(Floats({2}, {1, 0}))
      .Constant(
          ConstantTensor::Copy(DataType::kInt4, {2, 3}, std::vector<std::int8_t>{125, 2, 24, 0}))
      .Constant(FloatConstant({2, 2}, {1, 2, 3, 4}))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {2, 2}, std::vector<std::int8_t>{1, 0, 0, 5}))
      .With("group_size", std::int64_t{2})
      .With("scale_convention", "multiply");
  EXPECT_EQ(int4.First(Kernels()), (std::vector<float>{-24, 3, -20, -4, 6, 4}));
}

TEST(GatherRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun scale(MakeGather());
  scale.Input(Floats({1}, {0}))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {1, 1}, std::vector<std::int8_t>{4}));
  EXPECT_EQ(scale.InferStatus().code(), kInvalid);
  OperatorRun empty(MakeGather());
  empty.Input(Floats({1}, {0})).Constant(FloatConstant({0, 1}, {}));
  EXPECT_EQ(empty.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
