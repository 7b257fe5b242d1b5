// SPDX-License-Identifier: Apache-2.0
// FullyConnected from integers: int8 and int16 activations with a quantization of their own.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/operators/fully_connected.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class StaticFullyConnectedTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(StaticFullyConnectedTest);

struct StaticCase {
  std::vector<std::int8_t> x = Int8Noise(4 * 16, 3);
  std::vector<std::int8_t> w = Int8Noise(16 * 8, 4);
  std::vector<float> scale;
  std::vector<std::int32_t> bias;
  TensorQuantization in = Quantization(0.05F, -7);

  StaticCase() {
    for (int j = 0; j < 8; ++j) {
      scale.push_back(0.01F + 0.002F * static_cast<float>(j));
      bias.push_back(100 * j - 300);
    }
  }
  [[nodiscard]] OperatorRun Node() const {
    OperatorRun run(MakeFullyConnected());
    run.Input(Int8s({4, 16}, x), in)
        .Constant(ConstantTensor::Copy(DataType::kInt8, {16, 8}, w))
        .Constant(FloatConstant({8}, scale))
        .Absent()
        .Constant(ConstantTensor::Copy(DataType::kInt32, {8}, bias));
    run.With("activation_quantization", "static").With("scale_convention", "multiply");
    return run;
  }
  [[nodiscard]] std::int32_t Accumulator(std::size_t i, std::size_t j) const {
    std::int32_t sum = bias[j];
    for (std::size_t p = 0; p < 16; ++p) sum += (x[i * 16 + p] + 7) * w[p * 8 + j];
    return sum;
  }
};

TEST_P(StaticFullyConnectedTest, StaticInt8RequantizesExactlyAndClipsForRelu) {
  const StaticCase given;
  const auto y = given.Node()
                     .With("output_scale", 0.4)
                     .With("output_zero_point", std::int64_t{-20})
                     .With("activation", "relu")
                     .First<std::int8_t>(Kernels());
  ASSERT_EQ(y.size(), 32U);
  const double output_scale = static_cast<double>(static_cast<float>(0.4));
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      const auto m = static_cast<float>(static_cast<double>(0.05F) *
                                        static_cast<double>(given.scale[j]) / output_scale);
      const float q = std::nearbyint(static_cast<float>(given.Accumulator(i, j)) * m) - 20.0F;
      EXPECT_EQ(y[i * 8 + j], std::min(127.0F, std::max(-20.0F, q)));
    }
  }
}

// A quarter of each sum: ties are rounded once, or first to a half and then away from zero.
TEST_P(StaticFullyConnectedTest, StaticInt8InFixedPoint) {
  const auto run = [](const std::string& requantization, const std::string& activation) {
    OperatorRun node(MakeFullyConnected());
    node.Input(Int8s({5, 1}, {-2, 2, -6, 6, 100}), Quantization(0.5F, 0))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {1, 1}, std::vector<std::int8_t>{1}))
        .Constant(FloatConstant({1}, {0.5F}));
    node.With("activation_quantization", "static").With("scale_convention", "multiply");
    node.With("output_scale", 1.0).With("output_zero_point", std::int64_t{3});
    node.With("requantization", requantization).With("activation", activation);
    return node;
  };
  using Bytes = std::vector<std::int8_t>;
  EXPECT_EQ(run("fixed", "linear").First<std::int8_t>(Kernels()), (Bytes{2, 4, 1, 5, 28}));
  EXPECT_EQ(run("fixed_single", "linear").First<std::int8_t>(Kernels()), (Bytes{3, 4, 2, 5, 28}));
  EXPECT_EQ(run("fixed", "relu6").First<std::int8_t>(Kernels()), (Bytes{3, 4, 3, 5, 9}));
}

TEST_P(StaticFullyConnectedTest, TheProductOfScalesIsRoundedToFloat32WhereToldTo) {
  // 95 * 0.52 * 0.95 / 0.54888886 is a little below 85.5.
  const auto product = [](const std::string& type) {
    OperatorRun run(MakeFullyConnected());
    run.Input(Int8s({1, 1}, {95}), Quantization(0.52F, 0))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {1, 1}, std::vector<std::int8_t>{1}))
        .Constant(FloatConstant({1}, {0.95F}));
    run.With("activation_quantization", "static").With("scale_convention", "multiply");
    run.With("output_scale", static_cast<double>(0.54888886F));
    run.With("output_zero_point", std::int64_t{0});
    run.With("requantization", "fixed").With("scale_product", type);
    return run;
  };
  EXPECT_EQ(product("float64").First<std::int8_t>(Kernels()), std::vector<std::int8_t>{85});
  EXPECT_EQ(product("float32").First<std::int8_t>(Kernels()), std::vector<std::int8_t>{86});
  EXPECT_FALSE(product("float16").InferStatus().ok());
}

TEST_P(StaticFullyConnectedTest, TheMultiplierIsRoundedOnceOrAfterEachOperation) {
  // 36 * 0.75 * 0.83 / 0.54 is a little below 41.5.
  const auto product = [](const std::string& requantization) {
    OperatorRun run(MakeFullyConnected());
    run.Input(Int8s({1, 1}, {36}), Quantization(0.75F, 0))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {1, 1}, std::vector<std::int8_t>{1}))
        .Constant(FloatConstant({1}, {0.83F}));
    run.With("activation_quantization", "static").With("scale_convention", "multiply");
    run.With("output_scale", 0.54).With("output_zero_point", std::int64_t{0});
    run.With("requantization", requantization);
    return run;
  };
  EXPECT_EQ(product("float64").First<std::int8_t>(Kernels()), std::vector<std::int8_t>{41});
  EXPECT_EQ(product("float32").First<std::int8_t>(Kernels()), std::vector<std::int8_t>{42});
  EXPECT_FALSE(product("float16").InferStatus().ok());
}

TEST_P(StaticFullyConnectedTest, StaticInt8MayEndInFloat32) {
  const StaticCase given;
  const auto y = given.Node().First(Kernels());
  ASSERT_EQ(y.size(), 32U);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      const auto m =
          static_cast<float>(static_cast<double>(0.05F) * static_cast<double>(given.scale[j]));
      EXPECT_EQ(y[i * 8 + j], static_cast<float>(given.Accumulator(i, j)) * m);
    }
  }
}

// TensorFlow Lite's 16x8: int16 activations, int8 weights, a bias of int64.
struct Int16Case {
  std::int64_t k = 16;
  std::vector<std::int16_t> x;
  std::vector<std::int8_t> w;
  std::vector<float> scale;
  std::vector<std::int64_t> bias;
  TensorQuantization in = Quantization(0.001F, 0);

  explicit Int16Case(std::int64_t inputs = 16) : k(inputs) {
    x = Int16Noise(static_cast<std::size_t>(4 * k), 3);
    w = Int8Noise(static_cast<std::size_t>(k * 8), 4);
    for (int j = 0; j < 8; ++j) {
      scale.push_back(0.01F + 0.002F * static_cast<float>(j));
      bias.push_back((std::int64_t{1} << (4 * j)) - 1000);
    }
  }
  [[nodiscard]] OperatorRun Node(const std::optional<ConstantTensor>& zero_point = {}) const {
    OperatorRun run(MakeFullyConnected());
    run.Input(Int16s({4, k}, x), in)
        .Constant(ConstantTensor::Copy(DataType::kInt8, {k, 8}, w))
        .Constant(FloatConstant({8}, scale));
    if (zero_point.has_value()) {
      run.Constant(*zero_point);
    } else {
      run.Absent();
    }
    run.Constant(ConstantTensor::Copy(DataType::kInt64, {8}, bias));
    run.With("activation_quantization", "static").With("scale_convention", "multiply");
    return run;
  }
  [[nodiscard]] std::int64_t Accumulator(std::size_t i, std::size_t j) const {
    const auto size = static_cast<std::size_t>(k);
    std::int64_t sum = bias[j];
    for (std::size_t p = 0; p < size; ++p) sum += x[i * size + p] * w[p * 8 + j];
    return sum;
  }
};

TEST_P(StaticFullyConnectedTest, StaticInt16RequantizesExactlyAndClipsForRelu) {
  for (const std::int64_t k : {16, 17, 1500}) {
    const Int16Case given(k);
    const auto y = given.Node()
                       .With("output_scale", 0.05)
                       .With("activation", "relu")
                       .First<std::int16_t>(Kernels());
    ASSERT_EQ(y.size(), 32U);
    const double output_scale = static_cast<double>(static_cast<float>(0.05));
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        const auto m = static_cast<float>(static_cast<double>(0.001F) *
                                          static_cast<double>(given.scale[j]) / output_scale);
        const double q =
            std::nearbyint(static_cast<double>(given.Accumulator(i, j)) * static_cast<double>(m));
        EXPECT_EQ(y[i * 8 + j], std::min(32767.0, std::max(0.0, q)));
      }
    }
  }
}

TEST_P(StaticFullyConnectedTest, StaticInt16RoundsAsTensorFlowLiteDoes) {
  const Int16Case given(40);
  const double output_scale = static_cast<double>(static_cast<float>(0.05));
  const auto run = [&given](const std::string& requantization) {
    return given.Node()
        .With("output_scale", 0.05)
        .With("requantization", requantization)
        .First<std::int16_t>(Kernels());
  };
  const auto away = run("float64_away");
  const auto fixed = run("fixed");
  EXPECT_EQ(fixed, run("fixed_single"));
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      const double m =
          static_cast<double>(0.001F) * static_cast<double>(given.scale[j]) / output_scale;
      const std::int64_t acc = given.Accumulator(i, j);
      EXPECT_EQ(away[i * 8 + j],
                std::clamp(std::round(static_cast<double>(acc) * m), -32768.0, 32767.0));
      int exponent = 0;
      const auto bits =
          static_cast<std::int64_t>(std::round(std::ldexp(std::frexp(m, &exponent), 31)));
      const int shift = 15 - exponent;
      const std::int64_t y =
          (acc * ((bits + (1 << 15)) >> 16) + (std::int64_t{1} << (shift - 1))) >> shift;
      EXPECT_EQ(fixed[i * 8 + j], std::clamp<std::int64_t>(y, -32768, 32767));
    }
  }
}

TEST_P(StaticFullyConnectedTest, StaticInt16MayEndInFloat32) {
  const Int16Case given;
  const auto y = given.Node().First(Kernels());
  ASSERT_EQ(y.size(), 32U);
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      const auto m =
          static_cast<float>(static_cast<double>(0.001F) * static_cast<double>(given.scale[j]));
      EXPECT_EQ(y[i * 8 + j], static_cast<float>(static_cast<double>(given.Accumulator(i, j)) *
                                                 static_cast<double>(m)));
    }
  }
}

TEST(StaticFullyConnectedRuleTest, Int16TakesSymmetricInt8Weights) {
  const auto zero_point =
      ConstantTensor::Copy(DataType::kInt8, {8}, std::vector<std::int8_t>(8, 0));
  EXPECT_EQ(
      Int16Case().Node(zero_point).InferStatus().message(),
      "FullyConnected \"under_test\": an INT16 input with INT8 weights that have zero points, "
      "wants INT8 without");
  EXPECT_EQ(Int16Case()
                .Node()
                .With("output_scale", 1.0)
                .With("output_zero_point", std::int64_t{-1})
                .InferStatus()
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StaticCase()
                .Node()
                .With("output_scale", 1.0)
                .With("requantization", "float64_away")
                .InferStatus()
                .code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Int16Case().Node().With("activation_quantization", "dynamic").InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Int16Case().Node().With("output_scale", 1.0).Infer().value()[0].data_type,
            DataType::kInt16);
}

// A layer of TensorFlow Lite's uint8 models: int8 with 128 subtracted from values and zero points.
TEST_P(StaticFullyConnectedTest, StaticUint8WeightsWithOneZeroPointAreExact) {
  constexpr std::size_t kK = 19;
  constexpr std::size_t kN = 21;
  const auto x = Uint8Noise(5 * kK, 3);
  const auto w = Uint8Noise(kN * kK, 4);
  std::vector<std::int8_t> shifted;
  for (const std::uint8_t q : x) shifted.push_back(static_cast<std::int8_t>(q - 128));
  for (const std::uint8_t zero_point : std::vector<std::uint8_t>{0, 117, 128, 255}) {
    const auto y = OperatorRun(MakeFullyConnected())
                       .Input(Int8s({5, kK}, shifted), Quantization(0.05F, 140 - 128))
                       .Constant(ConstantTensor::Copy(DataType::kUint8, {kN, kK}, w))
                       .Constant(FloatConstant({1}, {0.02F}))
                       .Constant(ConstantTensor::Copy(DataType::kUint8, {1},
                                                      std::vector<std::uint8_t>{zero_point}))
                       .With("transpose_weight", std::int64_t{1})
                       .With("activation_quantization", "static")
                       .With("scale_convention", "multiply")
                       .With("output_scale", 2.0)
                       .With("output_zero_point", std::int64_t{100 - 128})
                       .First<std::int8_t>(Kernels());
    ASSERT_EQ(y.size(), 5 * kN);
    const auto m =
        static_cast<float>(static_cast<double>(0.05F) * static_cast<double>(0.02F) / 2.0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      std::int32_t sum = 0;
      for (std::size_t p = 0; p < kK; ++p) {
        sum += (x[i / kN * kK + p] - 140) * (w[i % kN * kK + p] - zero_point);
      }
      const float q = std::nearbyint(static_cast<float>(sum) * m) + 100.0F;
      EXPECT_EQ(y[i] + 128, std::min(255.0F, std::max(0.0F, q))) << "element " << i;
    }
  }
}

TEST(StaticFullyConnectedRuleTest, RefusesScalesAndActivationsThatIntegersCannotHave) {
  EXPECT_EQ(StaticCase().Node().With("output_scale", -1.0).InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      StaticCase().Node().With("output_scale", 1.0).With("activation", "gelu").InferStatus().code(),
      absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet
