// SPDX-License-Identifier: Apache-2.0

#include "models/operators/quantize.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class QuantizeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(QuantizeTest);

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

OperatorRun To(std::unique_ptr<const Operator> op, double scale, std::int64_t zero_point) {
  OperatorRun run(std::move(op));
  run.With("scale", scale).With("zero_point", zero_point);
  return run;
}

TEST_P(QuantizeTest, RoundsHalfToEvenThenAddsThenClips) {
  const auto y = To(MakeQuantize(), 0.5, 1)
                     .Input(Floats({1, 6}, {0.25F, 0.75F, -0.25F, 1e9F, -1e9F,
                                            std::numeric_limits<float>::quiet_NaN()}))
                     .First<std::int8_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int8_t>{1, 3, 1, 127, -128, 1}));
}

TEST_P(QuantizeTest, RoundsHalfAwayFromZeroWhereToldTo) {
  const auto y = To(MakeQuantize(), 0.5, 1)
                     .With("rounding", "half_away")
                     .Input(Floats({1, 6}, {0.25F, 0.75F, -0.25F, 1e9F, -1e9F,
                                            std::numeric_limits<float>::quiet_NaN()}))
                     .First<std::int8_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int8_t>{2, 3, 0, 127, -128, 1}));
  EXPECT_EQ(To(MakeQuantize(), 0.5, 1)
                .With("rounding", "up")
                .Input(Floats({1, 1}, {1.0F}))
                .InferStatus()
                .code(),
            kInvalid);
}

// A quarter of each: ties are rounded once, or first to a half and then away from zero.
TEST_P(QuantizeTest, RequantizesInFixedPoint) {
  const auto requantized = [](const std::string& rounding, const std::string& to) {
    OperatorRun run = To(MakeRequantize(), 1.0, 3);
    run.With("to", to).With("requantization", rounding);
    run.Input(Int8s({1, 6}, {-2, 2, -6, 6, -128, 127}), Quantization(0.25F, 0));
    return run;
  };
  EXPECT_EQ(requantized("fixed", "INT8").First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{2, 4, 1, 5, -29, 35}));
  EXPECT_EQ(requantized("fixed_single", "INT8").First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{3, 4, 2, 5, -29, 35}));
  EXPECT_EQ(requantized("fixed", "UINT8").First<std::uint8_t>(Kernels()),
            (std::vector<std::uint8_t>{130, 132, 129, 133, 99, 163}));
}

TEST_P(QuantizeTest, RequantizesInt16InFixedPoint) {
  const auto with = [](double zero_point, const std::string& to) {
    OperatorRun run = To(MakeRequantize(), 1.0, static_cast<std::int64_t>(zero_point));
    run.With("to", to).With("requantization", "fixed");
    return run;
  };
  const auto x = [] { return Int16s({1, 6}, {-2, 2, -6, 6, 32767, -32768}); };
  EXPECT_EQ(with(0, "INT16").Input(x(), Quantization(0.25F, 0)).First<std::int16_t>(Kernels()),
            (std::vector<std::int16_t>{-1, 1, -2, 2, 8192, -8192}));
  EXPECT_EQ(with(3, "INT8").Input(x(), Quantization(0.25F, 0)).First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{2, 4, 1, 5, 127, -128}));
  EXPECT_EQ(with(0, "INT16")
                .Input(Int8s({1, 3}, {-128, 127, 6}), Quantization(0.25F, 2))
                .First<std::int16_t>(Kernels()),
            (std::vector<std::int16_t>{-33, 32, 1}));
}

TEST_P(QuantizeTest, ShiftsUint8) {
  OperatorRun run = To(MakeQuantize(), 0.5, 3 - 128);
  run.Input(
      MakeTensor(DataType::kUint8, {2, 3}, std::vector<std::uint8_t>{0, 1, 127, 128, 254, 255}));
  EXPECT_EQ(run.First<std::int8_t>(Kernels()),
            (std::vector<std::int8_t>{-128, -127, -1, 0, 126, 127}));
  EXPECT_EQ(run.Infer().value()[0].quantization, Quantization(0.5F, -125));
}

TEST_P(QuantizeTest, DequantizesActivationsAndConstants) {
  OperatorRun activation(MakeDequantize());
  activation.Input(Int8s({1, 2}, {-3, 5}), Quantization(0.5F, 1));
  EXPECT_EQ(activation.First(Kernels()), (std::vector<float>{-2, 2}));
  OperatorRun constant(MakeDequantize());
  constant
      .Constant(ConstantTensor::Copy(DataType::kInt8, {2, 2}, std::vector<std::int8_t>{1, 2, 3, 4}))
      .Constant(FloatConstant({2}, {10, 100}));
  EXPECT_EQ(constant.First(Kernels()), (std::vector<float>{10, 200, 30, 400}));
}

TEST_P(QuantizeTest, RequantizesWithOneFloatMultiplier) {
  const auto y = To(MakeRequantize(), 1.0, -4)
                     .Input(Int8s({1, 4}, {3, 4, 5, 127}), Quantization(0.5F, 2))
                     .First<std::int8_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int8_t>{-4, -3, -2, 58}));
}

TEST_P(QuantizeTest, RequantizesToUint8) {
  const auto requantized = [](double scale, std::int64_t zero_point) {
    OperatorRun run = To(MakeRequantize(), scale, zero_point);
    run.With("to", "UINT8").Input(Int8s({1, 4}, {-128, 3, 4, 127}), Quantization(0.5F, 2));
    EXPECT_EQ(run.Infer().value()[0].data_type, DataType::kUint8);
    EXPECT_FALSE(run.Infer().value()[0].quantization.has_value());
    return run.First<std::uint8_t>(Kernels());
  };
  EXPECT_EQ(requantized(0.5, 2), (std::vector<std::uint8_t>{0, 131, 132, 255}));
  EXPECT_EQ(requantized(1.0, -4), (std::vector<std::uint8_t>{59, 124, 125, 186}));
}

TEST_P(QuantizeTest, ToInt16AndBack) {
  const std::vector<float> x = {0.25F, 0.75F, -0.25F,
                                1e9F,  -1e9F, std::numeric_limits<float>::quiet_NaN()};
  const auto y = To(MakeQuantize(), 0.5, 0)
                     .With("to", "INT16")
                     .Input(Floats({1, 6}, x))
                     .First<std::int16_t>(Kernels());
  EXPECT_EQ(y, (std::vector<std::int16_t>{0, 2, 0, 32767, -32768, 0}));
  OperatorRun back(MakeDequantize());
  back.Input(Int16s({1, 6}, y), Quantization(0.5F, 0));
  EXPECT_EQ(back.First(Kernels()), (std::vector<float>{0, 1, 0, 16383.5F, -16384, 0}));
}

TEST(QuantizeRuleTest, Int16HasNoZeroPointAndComesFromFloats) {
  EXPECT_EQ(
      To(MakeQuantize(), 1, 3).With("to", "INT16").Input(Floats({1, 1}, {1})).InferStatus().code(),
      kInvalid);
  EXPECT_EQ(To(MakeQuantize(), 1, 0)
                .With("to", "INT16")
                .Input(MakeTensor(DataType::kUint8, {1, 1}, std::vector<std::uint8_t>{1}))
                .InferStatus()
                .code(),
            kInvalid);
  EXPECT_EQ(
      To(MakeQuantize(), 1, 0).With("to", "INT32").Input(Floats({1, 1}, {1})).InferStatus().code(),
      kInvalid);
  EXPECT_EQ(OperatorRun(MakeDequantize()).Input(Int16s({1, 1}, {1})).InferStatus().code(),
            kInvalid);
}

TEST(QuantizeRuleTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(To(MakeRequantize(), 1, 0)
                .With("to", "INT16")
                .Input(Int8s({1, 1}, {1}), Quantization(1.0F, 0))
                .InferStatus()
                .code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(To(MakeRequantize(), 1, 0)
                .With("to", "UINT8")
                .With("requantization", "fixed")
                .Input(Int16s({1, 1}, {1}), Quantization(1.0F, 0))
                .InferStatus()
                .code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(To(MakeRequantize(), 1, 1)
                .With("to", "INT16")
                .With("requantization", "fixed")
                .Input(Int8s({1, 1}, {1}), Quantization(1.0F, 0))
                .InferStatus()
                .code(),
            kInvalid);
  EXPECT_EQ(OperatorRun(MakeQuantize()).Input(Floats({1, 1}, {1})).InferStatus().code(), kInvalid);
  EXPECT_EQ(To(MakeQuantize(), 0, 0).Input(Floats({1, 1}, {1})).InferStatus().code(), kInvalid);
  EXPECT_EQ(To(MakeQuantize(), 1, 128).Input(Floats({1, 1}, {1})).InferStatus().code(), kInvalid);
  EXPECT_EQ(To(MakeQuantize(), 1e-60, 0).Input(Floats({1, 1}, {1})).InferStatus().code(), kInvalid);
  EXPECT_EQ(OperatorRun(MakeDequantize()).Input(Int8s({1, 1}, {1})).InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
