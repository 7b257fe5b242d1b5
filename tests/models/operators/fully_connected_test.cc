// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fully_connected.h"

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

class FullyConnectedTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(FullyConnectedTest);

// The golden numbers of Keras's Dense: W, its quantized forms, and x.
const std::vector<float> kX = {0.1F, -0.2F, 0.3F, 0.0F, 0.0F, 0.0F};
const std::vector<float> kBias = {0.1F, 0.2F, 0.3F};
const std::vector<std::int8_t> kInt8Weight = {127, -64, 127, 63, 127, -42, -32, 111, 85};
const std::vector<float> kInt8Scale = {126.99998474F, 31.75F, 4233.31933594F};

ConstantTensor Int8Weight() { return ConstantTensor::Copy(DataType::kInt8, {3, 3}, kInt8Weight); }
ConstantTensor GoldenScale() { return FloatConstant({3}, kInt8Scale); }
ConstantTensor GoldenBias() { return FloatConstant({3}, kBias); }

OperatorRun Dense() { return OperatorRun(MakeFullyConnected()); }

// x [m, k] times w [k, n] in double.
std::vector<float> Product(const std::vector<float>& x, const std::vector<float>& w, std::size_t k,
                           std::size_t n) {
  std::vector<float> y;
  for (std::size_t i = 0; i < x.size() / k; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (std::size_t p = 0; p < k; ++p) {
        sum += static_cast<double>(x[i * k + p]) * static_cast<double>(w[p * n + j]);
      }
      y.push_back(static_cast<float>(sum));
    }
  }
  return y;
}

TEST_P(FullyConnectedTest, FloatIsTheProductPlusBiasThroughTheActivation) {
  const auto y = Dense()
                     .Input(Floats({2, 2}, {1, 2, -3, 4}))
                     .Constant(FloatConstant({2, 3}, {1, 0, 2, 0, 1, -1}))
                     .Absent()
                     .Absent()
                     .Constant(FloatConstant({3}, {0.5F, 0, 0}))
                     .With("activation", "relu")
                     .First(Kernels());
  EXPECT_EQ(y, (std::vector<float>{1.5F, 2, 0, 0, 4, 0}));
}

TEST_P(FullyConnectedTest, FloatTakesATransposedWeightAndAnyLeadingDimensions) {
  const auto x = Noise(2 * 3 * 5, 1);
  const auto w = Noise(5 * 4, 2);
  std::vector<float> transposed;
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t p = 0; p < 5; ++p) transposed.push_back(w[p * 4 + j]);
  }
  auto run = Dense();
  run.Input(Floats({2, 3, 5}, x)).Constant(FloatConstant({4, 5}, transposed));
  run.With("transpose_weight", std::int64_t{1});
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{2, 3, 4}));
  ExpectNear(run.First(Kernels()), Product(x, w, 5, 4), 1e-6F);
}

TEST_P(FullyConnectedTest, SoftmaxIsOverTheOutputs) {
  const auto y = Dense()
                     .Input(Floats({1, 1}, {1}))
                     .Constant(FloatConstant({1, 2}, {0, std::log(3.0F)}))
                     .With("activation", "softmax")
                     .First(Kernels());
  ExpectNear(y, {0.25F, 0.75F}, 1e-6F);
}

TEST_P(FullyConnectedTest, DynamicInt8GivesKerasGoldenNumbers) {
  const auto y = Dense()
                     .Input(Floats({2, 3}, kX))
                     .Constant(Int8Weight())
                     .Constant(GoldenScale())
                     .Absent()
                     .Constant(GoldenBias())
                     .With("activation_quantization", "dynamic")
                     .First(Kernels());
  ExpectNear(y, {0.0240188166F, 0.2456817031F, 0.3109921217F, 0.1F, 0.2F, 0.3F}, 1e-7F);
}

TEST_P(FullyConnectedTest, WeightOnlyInt8DividesByTheScale) {
  const auto y = Dense()
                     .Input(Floats({2, 3}, kX))
                     .Constant(Int8Weight())
                     .Constant(GoldenScale())
                     .Absent()
                     .Constant(GoldenBias())
                     .First(Kernels());
  std::vector<float> w;
  for (std::size_t i = 0; i < 9; ++i) {
    w.push_back(static_cast<float>(kInt8Weight[i]) / kInt8Scale[i % 3]);
  }
  auto want = Product(kX, w, 3, 3);
  for (std::size_t i = 0; i < want.size(); ++i) want[i] += kBias[i % 3];
  ExpectNear(y, want, 1e-6F);
}

// Keras's int4 of the same W, per channel: [[7,-4,7],[3,7,-2],[-2,6,5]].
TEST_P(FullyConnectedTest, Int4TakesEitherPackingAxis) {
  const std::vector<std::int8_t> last = {-57, 7, 115, 14, 110, 5};
  const std::vector<std::int8_t> first = {55, 124, -25, 14, 6, 5};
  const std::vector<float> scale = {6.99999905F, 1.75F, 233.33255005F};
  std::vector<float> w = {7, -4, 7, 3, 7, -2, -2, 6, 5};
  for (std::size_t i = 0; i < 9; ++i) w[i] /= scale[i % 3];
  for (const std::string mode : {"none", "dynamic"}) {
    std::vector<std::vector<float>> results;
    for (const int axis : {0, 1, -1}) {
      const auto bytes = std::as_bytes(std::span(axis == 0 ? first : last));
      results.push_back(Dense()
                            .Input(Floats({2, 3}, kX))
                            .Constant(ConstantTensor::Copy(DataType::kInt4, {3, 3}, bytes, axis))
                            .Constant(FloatConstant({3}, scale))
                            .With("activation_quantization", mode)
                            .First(Kernels()));
      ExpectNear(results.back(), Product(kX, w, 3, 3), mode == "none" ? 1e-6F : 5e-3F);
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

// Keras's grouped int4, block 2, of the same W; the last group is short.
const std::vector<std::int8_t> kGroupedInt4 = {7, -8, 7, 7, 7, -8, -8, 7, 7};
const std::vector<float> kGroupedScale = {0.0333333425F, 0.4F,          0.0026666734F,
                                          0.0166666731F, 0.2333333343F, 0.00133334F};
const std::vector<std::int8_t> kGroupedZero = {-8, -3, -4, 7, -8, -8};

std::vector<float> GroupedWeight(const std::vector<std::size_t>& group) {
  std::vector<float> w;
  for (std::size_t p = 0; p < 3; ++p) {
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t at = group[p] * 3 + j;
      w.push_back(static_cast<float>(kGroupedInt4[p * 3 + j] - kGroupedZero[at]) *
                  kGroupedScale[at]);
    }
  }
  return w;
}

ConstantTensor Packed(DataType type, Dims dims, const std::vector<std::int8_t>& values) {
  const auto columns = static_cast<std::size_t>(dims[1]);
  std::vector<std::uint8_t> bytes;
  for (std::size_t row = 0; row < values.size() / columns; ++row) {
    for (std::size_t j = 0; j < columns; j += 2) {
      const int low = values[row * columns + j] & 0xF;
      const int high = j + 1 < columns ? values[row * columns + j + 1] & 0xF : 0;
      bytes.push_back(static_cast<std::uint8_t>(low | (high << 4)));
    }
  }
  return ConstantTensor::Copy(type, std::move(dims), bytes);
}

OperatorRun GroupedRun() {
  auto run = Dense();
  run.Input(Floats({2, 3}, kX))
      .Constant(Packed(DataType::kInt4, {3, 3}, kGroupedInt4))
      .Constant(FloatConstant({2, 3}, kGroupedScale))
      .Constant(ConstantTensor::Copy(DataType::kInt8, {2, 3}, kGroupedZero))
      .Absent();
  run.With("group_size", std::int64_t{2}).With("scale_convention", "multiply");
  return run;
}

TEST_P(FullyConnectedTest, GroupedInt4HasItsOwnScaleAndZeroPoint) {
  ExpectNear(GroupedRun().First(Kernels()), Product(kX, GroupedWeight({0, 0, 1}), 3, 3), 1e-6F);
}

TEST_P(FullyConnectedTest, GroupIndexMayReorderTheGroups) {
  auto run = GroupedRun();
  run.Constant(FloatConstant({3}, {0, 1, 0}));
  ExpectNear(run.First(Kernels()), Product(kX, GroupedWeight({0, 1, 0}), 3, 3), 1e-6F);
}

TEST_P(FullyConnectedTest, GroupIndexMayBeAnything) {
  auto run = GroupedRun();
  run.Constant(ConstantTensor::Copy(DataType::kInt32, {3}, std::vector<std::int32_t>{1, 1, 0}));
  ExpectNear(run.First(Kernels()), Product(kX, GroupedWeight({1, 1, 0}), 3, 3), 1e-6F);
}

TEST_P(FullyConnectedTest, GroupedInt4WithDynamicActivations) {
  auto run = GroupedRun();
  run.With("activation_quantization", "dynamic");
  // One step of an int8 activation is 1/127 of the row's largest.
  ExpectNear(run.First(Kernels()), Product(kX, GroupedWeight({0, 0, 1}), 3, 3), 5e-3F);
}

TEST_P(FullyConnectedTest, InputScaleDividesTheRowsOfTheWeight) {
  auto run = GroupedRun();
  run.Absent().Constant(FloatConstant({3}, {2, 4, 0.5F}));
  auto w = GroupedWeight({0, 0, 1});
  const std::vector<float> divisor = {2, 4, 0.5F};
  for (std::size_t i = 0; i < 9; ++i) w[i] /= divisor[i / 3];
  ExpectNear(run.First(Kernels()), Product(kX, w, 3, 3), 1e-6F);
}

// GPTQ: unsigned, stored [n, k] with scales [n, groups], groups permuted by activation order.
TEST_P(FullyConnectedTest, TransposedUnsignedWeightsWithPermutedGroups) {
  constexpr std::size_t kK = 8;
  constexpr std::size_t kN = 3;
  for (const DataType type : {DataType::kUint4, DataType::kUint8}) {
    std::vector<std::int8_t> q;  // [n, k]
    for (std::size_t i = 0; i < kK * kN; ++i) q.push_back(static_cast<std::int8_t>(i * 7 % 16));
    const std::vector<float> scale = {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F};  // [n, 2]
    const std::vector<std::uint8_t> zero = {1, 2, 7, 8, 14, 15};
    const std::vector<float> group = {0, 1, 1, 0, 1, 0, 0, 1};
    std::vector<float> w(kK * kN);
    for (std::size_t p = 0; p < kK; ++p) {
      for (std::size_t j = 0; j < kN; ++j) {
        const std::size_t at = j * 2 + static_cast<std::size_t>(group[p]);
        w[p * kN + j] = static_cast<float>(q[j * kK + p] - zero[at]) * scale[at];
      }
    }
    const auto x = Noise(4 * kK, 5);
    const auto y = Dense()
                       .Input(Floats({4, kK}, x))
                       .Constant(type == DataType::kUint4 ? Packed(type, {kN, kK}, q)
                                                          : ConstantTensor::Copy(type, {kN, kK}, q))
                       .Constant(FloatConstant({kN, 2}, scale))
                       .Constant(ConstantTensor::Copy(DataType::kUint8, {kN, 2}, zero))
                       .Absent()
                       .Constant(FloatConstant({kK}, group))
                       .With("group_size", std::int64_t{4})
                       .With("scale_convention", "multiply")
                       .With("transpose_weight", std::int64_t{1})
                       .First(Kernels());
    ExpectNear(y, Product(x, w, kK, kN), 1e-6F);
  }
}

TEST_P(FullyConnectedTest, FloatRowsTakeWeightsWithZeroPoints) {
  constexpr std::size_t kK = 40;
  constexpr std::size_t kN = 18;
  const auto x = Noise(6 * kK, 5);
  const auto scale = std::vector<float>(kN, 0.01F);
  for (const auto type : {DataType::kInt8, DataType::kUint8, DataType::kInt4, DataType::kUint4}) {
    const bool is_byte = type == DataType::kInt8 || type == DataType::kUint8;
    const bool is_signed = type == DataType::kInt8 || type == DataType::kInt4;
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint8_t> zero_bytes;
    std::vector<float> w;
    const auto value = [&](std::uint8_t byte) {
      const int range = is_byte ? 256 : 16;
      return byte % range - (is_signed ? range / 2 : 0);
    };
    for (const std::uint8_t byte : Uint8Noise(kN, 7)) {
      zero_bytes.push_back(static_cast<std::uint8_t>(value(byte)));
    }
    const auto noise = Uint8Noise(kK * kN, 6);
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const int zero = is_signed ? static_cast<std::int8_t>(zero_bytes[i % kN])
                                 : static_cast<int>(zero_bytes[i % kN]);
      bytes.push_back(static_cast<std::uint8_t>(value(noise[i])));
      w.push_back(static_cast<float>(value(noise[i]) - zero) * 0.01F);
    }
    for (const std::string quantization : {"none", "dynamic"}) {
      const auto y = Dense()
                         .Input(Floats({6, kK}, x))
                         .Constant(is_byte ? ConstantTensor::Copy(type, {kK, kN}, bytes)
                                           : Packed(type, {kK, kN}, {bytes.begin(), bytes.end()}))
                         .Constant(FloatConstant({kN}, scale))
                         .Constant(ConstantTensor::Copy(
                             is_signed ? DataType::kInt8 : DataType::kUint8, {kN}, zero_bytes))
                         .With("activation_quantization", quantization)
                         .With("scale_convention", "multiply")
                         .First(Kernels());
      ExpectNear(y, Product(x, w, kK, kN), quantization == "none" ? 2e-6F : 0.02F);
    }
  }
}

TEST_P(FullyConnectedTest, ARowsResultDependsOnNoOtherRow) {
  const auto x = Noise(7 * 33, 9);
  const auto w = Int8Noise(33 * 10, 10);
  const auto run = [&](std::size_t first, std::size_t rows, const std::string& mode) {
    const auto from = x.begin() + static_cast<std::ptrdiff_t>(first * 33);
    return Dense()
        .Input(Floats({static_cast<std::int64_t>(rows), 33},
                      {from, from + static_cast<std::ptrdiff_t>(rows * 33)}))
        .Constant(ConstantTensor::Copy(DataType::kInt8, {33, 10}, w))
        .Constant(FloatConstant({10}, std::vector<float>(10, 50.0F)))
        .With("activation_quantization", mode)
        .First(Kernels());
  };
  for (const std::string mode : {"none", "dynamic"}) {
    const auto all = run(0, 7, mode);
    for (std::size_t row = 0; row < 7; ++row) {
      const auto one = run(row, 1, mode);
      EXPECT_EQ(one, std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(row * 10),
                                        all.begin() + static_cast<std::ptrdiff_t>(row * 10 + 10)));
    }
  }
}

TEST(FullyConnectedRuleTest, RefusesWhatDoesNotFit) {
  const auto floats = [](Dims dims) {
    return FloatConstant(dims, std::vector<float>(static_cast<std::size_t>(NumElements(dims)), 1));
  };
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(Dense().Input(Floats({1, 3}, {1, 2, 3}))), HasSubstr("inputs"));
  EXPECT_THAT(message(Dense().Input(Floats({1, 3}, {1, 2, 3})).Constant(floats({4, 3}))),
              HasSubstr("wants 4 as its last dimension"));
  EXPECT_THAT(message(Dense().Input(Floats({1, 3}, {1, 2, 3})).Constant(Int8Weight())),
              HasSubstr("without a \"weight_scale\""));
  EXPECT_THAT(
      message(
          Dense().Input(Floats({1, 3}, {1, 2, 3})).Constant(Int8Weight()).Constant(floats({4}))),
      HasSubstr("weight_scale"));
  EXPECT_THAT(message(Dense()
                          .Input(Floats({1, 3}, {1, 2, 3}))
                          .Constant(Int8Weight())
                          .Constant(FloatConstant({3}, {1, 0, 1}))),
              HasSubstr("above 0"));
  EXPECT_THAT(
      message(Dense()
                  .Input(Floats({1, 3}, {1, 2, 3}))
                  .Constant(Int8Weight())
                  .Constant(FloatConstant({3}, {1, std::numeric_limits<float>::infinity(), 1}))),
      HasSubstr("finite"));
  const auto with_zero_point = [&](const ConstantTensor& zero_point) {
    return message(Dense()
                       .Input(Floats({1, 3}, {1, 2, 3}))
                       .Constant(Int8Weight())
                       .Constant(GoldenScale())
                       .Constant(zero_point));
  };
  EXPECT_THAT(with_zero_point(ConstantTensor::Copy(DataType::kInt8, {2}, Int8Noise(2, 1))),
              HasSubstr("\"weight_zero_point\" is INT8[2], wants INT8[3]"));
  EXPECT_THAT(with_zero_point(floats({3})), HasSubstr("wants INT8 or UINT8"));
  EXPECT_THAT(
      with_zero_point(ConstantTensor::Copy(DataType::kUint8, {1}, std::vector<std::uint8_t>{200})),
      HasSubstr("\"weight_zero_point\" holds 200 for INT8 weights"));
  auto grouped = GroupedRun();
  grouped.Constant(FloatConstant({3}, {0, 2, 0}));
  EXPECT_THAT(message(grouped), HasSubstr("group_index"));
  EXPECT_EQ(Dense()
                .Input(Floats({1, 3}, {1, 2, 3}))
                .Constant(Int8Weight())
                .Constant(GoldenScale())
                .With("activation_quantization", "sometimes")
                .InferStatus()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
