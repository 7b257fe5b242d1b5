// SPDX-License-Identifier: Apache-2.0
#include "models/operators/constant.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class ConstantTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ConstantTest);

TEST_P(ConstantTest, IsTheSameInEveryRow) {
  OperatorRun run(MakeConstant());
  run.Constant(FloatConstant({2, 2}, {1, 2, 3, 4}));
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{1, 2, 2}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1, 2, 3, 4}));

  const auto types = run.Infer();
  ASSERT_TRUE(types.ok()) << types.status();
  EXPECT_EQ((*types)[0].shape, (Shape{Dim(kRows), 2, 2}));
}

TEST_P(ConstantTest, ScalarsAndOtherTypes) {
  OperatorRun scalar(MakeConstant());
  scalar.Constant(ConstantTensor::Copy(DataType::kInt64, {}, std::vector<std::int64_t>{-7}));
  EXPECT_EQ(scalar.FirstDims(Kernels()), (Dims{1}));
  EXPECT_EQ(scalar.First<std::int64_t>(Kernels()), (std::vector<std::int64_t>{-7}));
  OperatorRun flags(MakeConstant());
  flags.Constant(ConstantTensor::Copy(DataType::kBool, {2}, std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(flags.First<std::uint8_t>(Kernels()), (std::vector<std::uint8_t>{1, 0}));
}

TEST_P(ConstantTest, NoElements) {
  OperatorRun run(MakeConstant());
  run.Constant(FloatConstant({2, 0, 3}, {}));
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{1, 2, 0, 3}));
  EXPECT_EQ(run.First(Kernels()), std::vector<float>());
}

TEST(ConstantRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  OperatorRun activation(MakeConstant());
  EXPECT_THAT(message(activation.Input(Floats({1, 2}, {1, 2}))), HasSubstr("is no constant"));
  OperatorRun none(MakeConstant());
  EXPECT_THAT(message(none), HasSubstr("0 inputs"));
  OperatorRun large(MakeConstant());
  EXPECT_THAT(message(large.Constant(FloatConstant({1, 1, 1, 1, 1, 1, 1, 1}, {1}))),
              HasSubstr("wants 0 to 7 dimensions"));
  OperatorRun packed(MakeConstant());
  packed.Constant(ConstantTensor::Copy(DataType::kInt4, {2}, std::vector<std::int8_t>{0x21}));
  EXPECT_FALSE(packed.InferStatus().ok());
}

}  // namespace
}  // namespace octet
