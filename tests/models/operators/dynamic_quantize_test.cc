// SPDX-License-Identifier: Apache-2.0
#include "models/operators/dynamic_quantize.h"

#include <cmath>
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

class DynamicQuantizeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(DynamicQuantizeTest);

OperatorRun Quantized(Tensor x) {
  OperatorRun run(MakeDynamicQuantize());
  run.Input(std::move(x)).Outputs(3);
  return run;
}

TEST_P(DynamicQuantizeTest, IsWhatOnnxSays) {
  // The example of ONNX's own documentation.
  const auto outputs = Quantized(Floats({1, 6}, {0, 2, -3, -2.5F, 1.34F, 0.5F})).Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]),
            (std::vector<std::uint8_t>{153, 255, 0, 26, 221, 179}));
  EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{5.0F / 255.0F}));
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[2]), (std::vector<std::uint8_t>{153}));
}

TEST_P(DynamicQuantizeTest, EveryRowHasARangeOfItsOwnWithZeroInIt) {
  const auto outputs =
      Quantized(Floats({3, 2, 2}, {1, 2, 3, 255, -1, -2, -3, -255, 0, 0, 0, 0})).Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]),
            (std::vector<std::uint8_t>{1, 2, 3, 255, 254, 253, 252, 0, 0, 0, 0, 0}));
  EXPECT_EQ((*outputs)[1].dims(), (Dims{3, 1, 1}));
  EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[2]), (std::vector<std::uint8_t>{0, 255, 0}));
}

TEST_P(DynamicQuantizeTest, WhatIsNoNumberIsZero) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto outputs = Quantized(Floats({1, 3}, {nan, -255, 0})).Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]), (std::vector<std::uint8_t>{255, 0, 255}));
  const float infinite = std::numeric_limits<float>::infinity();
  const auto endless = Quantized(Floats({1, 2}, {infinite, 1})).Run(Kernels());
  ASSERT_TRUE(endless.ok()) << endless.status();
  EXPECT_EQ(Elements<float>((*endless)[1]), (std::vector<float>{1}));
}

// int8 with the zero point that is nearer to its bound, here as uint8: 128 more.
TEST_P(DynamicQuantizeTest, IsWhatTensorFlowLiteSays) {
  const auto outputs = Quantized(Floats({3, 4}, {0, 0, 0, 0, -1, 0.5F, 1, 1.55F, 2, 4, 6, 510}))
                           .With("formula", "tflite")
                           .Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  // Row 1: steps of 0.01, and 1.55 is 127, so that 0 is -28.
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]),
            (std::vector<std::uint8_t>{128, 128, 128, 128, 0, 150, 200, 255, 1, 2, 3, 255}));
  EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{1.0F, 0.01F, 2.0F}));
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[2]), (std::vector<std::uint8_t>{128, 100, 0}));
}

TEST_P(DynamicQuantizeTest, VectorsHaveRangesOfTheirOwn) {
  for (const std::string formula : {"onnx", "tflite"}) {
    const auto outputs = Quantized(Floats({1, 2, 2}, {255, 0, 0, -510}))
                             .With("formula", formula)
                             .With("rows", "vectors")
                             .Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]), (std::vector<std::uint8_t>{255, 0, 255, 0}));
    EXPECT_EQ((*outputs)[1].dims(), (Dims{1, 2, 1}));
    EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{1, 2}));
    EXPECT_EQ(Elements<std::uint8_t>((*outputs)[2]), (std::vector<std::uint8_t>{0, 255}));
  }
}

TEST_P(DynamicQuantizeTest, WhatIsNoNumberIsTheZeroPointForTensorFlowLite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  const auto outputs = Quantized(Floats({3, 2}, {nan, -255, infinite, 1, 1e-44F, 0}))
                           .With("formula", "tflite")
                           .Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]),
            (std::vector<std::uint8_t>{255, 0, 255, 129, 128, 128}));
  EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{1, 1, 1}));
}

// int8 from -128, here as uint8: 128 more.
TEST_P(DynamicQuantizeTest, IsWhatTorchSays) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  OperatorRun run = Quantized(
      Floats({5, 3}, {-1, 0.5F, 1.55F, 0, 0, 0, 2, 255.5F, 510, nan, -255, 1, infinite, 3, -2}));
  run.With("formula", "torch").With("rows", "vectors").With("epsilon", 0.25);
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<float>((*outputs)[1]),
            (std::vector<float>{0.25F, 0.25F, 2.0F, 256.0F / 255.0F, 1.0F}));
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[2]), (std::vector<std::uint8_t>{4, 0, 0, 254, 0}));
  EXPECT_EQ(Elements<std::uint8_t>((*outputs)[0]),
            (std::vector<std::uint8_t>{0, 6, 10, 0, 0, 0, 1, 128, 255, 254, 0, 255, 255, 3, 0}));
}

TEST_P(DynamicQuantizeTest, TorchHasFewerStepsAndSymmetricOnes) {
  OperatorRun asymmetric = Quantized(Floats({1, 3}, {-27, 100, 0.5F}));
  asymmetric.With("formula", "torch").With("steps", std::int64_t{127});
  const auto seven_bits = asymmetric.Run(Kernels());
  ASSERT_TRUE(seven_bits.ok()) << seven_bits.status();
  EXPECT_EQ(Elements<std::uint8_t>((*seven_bits)[0]), (std::vector<std::uint8_t>{0, 127, 27}));
  EXPECT_EQ(Elements<float>((*seven_bits)[1]), (std::vector<float>{1}));
  OperatorRun symmetric = Quantized(Floats({1, 3}, {-63.5F, 20, 63.5F}));
  symmetric.With("formula", "torch")
      .With("steps", std::int64_t{127})
      .With("symmetric", std::int64_t{1});
  const auto centred = symmetric.Run(Kernels());
  ASSERT_TRUE(centred.ok()) << centred.status();
  EXPECT_EQ(Elements<std::uint8_t>((*centred)[0]), (std::vector<std::uint8_t>{0, 84, 127}));
  EXPECT_EQ(Elements<std::uint8_t>((*centred)[2]), (std::vector<std::uint8_t>{64}));
}

TEST(DynamicQuantizeRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(Quantized(Int8s({1, 2}, {1, 2}))), HasSubstr("FP32"));
  EXPECT_THAT(message(Quantized(Floats({1, 2}, {1, 2})).Outputs(1)), HasSubstr("wants 3"));
  OperatorRun formula = Quantized(Floats({1, 2}, {1, 2}));
  formula.With("formula", "keras");
  EXPECT_THAT(message(formula), HasSubstr("formula"));
  OperatorRun steps = Quantized(Floats({1, 2}, {1, 2}));
  steps.With("formula", "torch").With("steps", std::int64_t{256});
  EXPECT_THAT(message(steps), HasSubstr("got 256 steps"));
  OperatorRun vectors = Quantized(Floats({2}, {1, 2}));
  vectors.With("rows", "vectors");
  EXPECT_THAT(message(vectors), HasSubstr("dimensions"));
}

}  // namespace
}  // namespace octet
