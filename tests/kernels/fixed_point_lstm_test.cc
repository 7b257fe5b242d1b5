// SPDX-License-Identifier: Apache-2.0
// Against formulas of one unit, in gemmlowp's functions. That they are those of TensorFlow Lite's
// programs: tests/models/importers/tflite_micro_peer_test.py and tflite_peer_test.py.
#include "kernels/fixed_point_lstm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gemmlowp/fixedpoint/fixedpoint.h>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

namespace octet::kernels {
namespace {

constexpr std::size_t kUnits = 5;
constexpr std::size_t kWidth = 4 * kUnits;

struct Layer {
  LstmFormula formula = LstmFormula::kMicro;
  FixedRounding rounding = FixedRounding::kDouble;
  std::vector<double> input_scale = std::vector<double>(kWidth, 0.4);
  std::vector<double> recurrent_scale = std::vector<double>(kWidth, 0.07);
  int cell_exponent = -11;
  std::int16_t cell_clip = 0;
  float hidden_scale = 0.0078F;
  std::int32_t hidden_zero_point = 3;

  [[nodiscard]] FixedPointLstm Make() const {
    return FixedPointLstm({.units = kUnits,
                           .formula = formula,
                           .rounding = rounding,
                           .input_scale = input_scale,
                           .recurrent_scale = recurrent_scale,
                           .cell_exponent = cell_exponent,
                           .cell_clip = cell_clip,
                           .hidden_scale = Scale{hidden_scale},
                           .hidden_zero_point = ZeroPoint{hidden_zero_point}});
  }
};

std::int64_t Clip(std::int64_t x, std::int64_t lowest = -32768, std::int64_t highest = 32767) {
  return std::clamp(x, lowest, highest);
}

// x * real in fixed point, as TensorFlow Lite writes it down.
std::int32_t Multiply(std::int32_t x, double real, FixedRounding rounding) {
  int exponent = 0;
  auto multiplier = static_cast<std::int64_t>(std::round(std::frexp(real, &exponent) * 0x1p31));
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++exponent;
  }
  if (exponent < -31) return 0;
  if (rounding == FixedRounding::kSingle) {
    const int shift = 31 - exponent;
    return static_cast<std::int32_t>((x * multiplier + (std::int64_t{1} << (shift - 1))) >> shift);
  }
  return gemmlowp::RoundingDivideByPOT(
      gemmlowp::SaturatingRoundingDoublingHighMul(x * (1 << std::max(exponent, 0)),
                                                  static_cast<std::int32_t>(multiplier)),
      std::max(-exponent, 0));
}

template <int kIntegerBits>
std::int64_t GemmlowpTanh(std::int64_t x) {
  using Fixed = gemmlowp::FixedPoint<std::int16_t, kIntegerBits>;
  return gemmlowp::tanh(Fixed::FromRaw(static_cast<std::int16_t>(x))).raw();
}

std::int64_t Tanh(const Layer& layer, std::int64_t x, int exponent) {
  if (layer.formula == LstmFormula::kMicro) {
    const Int16Table table = FixedPointTanhTableS16(Scale{std::ldexp(1.0F, exponent)});
    return table[static_cast<std::size_t>(x + 32768)];
  }
  switch (exponent) {
    case -15:
      return GemmlowpTanh<0>(x);
    case -12:
      return GemmlowpTanh<3>(x);
    case -11:
      return GemmlowpTanh<4>(x);
    default:
      return GemmlowpTanh<6>(x);
  }
}

std::int64_t Sigmoid(const Layer& layer, std::int64_t x) {
  if (layer.formula == LstmFormula::kMicro) {
    static const Int16Table table = FixedPointSigmoidTableS16(Scale{0x1p-12F});
    return table[static_cast<std::size_t>(x + 32768)];
  }
  using Fixed = gemmlowp::FixedPoint<std::int16_t, 3>;
  return gemmlowp::logistic(Fixed::FromRaw(static_cast<std::int16_t>(x))).raw();
}

struct State {
  std::int64_t c = 0;
  std::int64_t h = 0;
};

State Expected(const Layer& layer, const std::vector<std::int32_t>& p,
               const std::vector<std::int32_t>& r, std::int64_t c, std::size_t unit) {
  const bool is_micro = layer.formula == LstmFormula::kMicro;
  std::int64_t z[4];
  for (std::size_t gate = 0; gate < 4; ++gate) {
    const std::size_t j = gate * kUnits + unit;
    const std::int64_t first = Clip(Multiply(p[j], layer.input_scale[j], layer.rounding));
    const std::int64_t second = Multiply(r[j], layer.recurrent_scale[j], layer.rounding);
    z[gate] = Clip(first + (is_micro ? Clip(second) : second));
  }
  const std::int64_t f_c = Sigmoid(layer, z[1]) * c;
  const std::int64_t i_g = Sigmoid(layer, z[0]) * Tanh(layer, z[2], -12);
  State next;
  if (is_micro) {
    const double update = std::ldexp(1.0, -30 - layer.cell_exponent);
    next.c = Clip(Multiply(static_cast<std::int32_t>(f_c), 0x1p-15, layer.rounding)) +
             Clip(Multiply(static_cast<std::int32_t>(i_g), update, layer.rounding));
  } else {
    next.c =
        gemmlowp::RoundingDivideByPOT(static_cast<std::int32_t>(f_c), 15) +
        gemmlowp::RoundingDivideByPOT(static_cast<std::int32_t>(i_g), 30 + layer.cell_exponent);
  }
  next.c = Clip(next.c);
  if (layer.cell_clip > 0) next.c = Clip(next.c, -layer.cell_clip, layer.cell_clip);
  const std::int64_t product = Sigmoid(layer, z[3]) * Tanh(layer, next.c, layer.cell_exponent);
  double real = 0x1p-30 / static_cast<double>(layer.hidden_scale);
  if (!is_micro) real = static_cast<double>(static_cast<float>(real));
  next.h = Clip(
      Multiply(static_cast<std::int32_t>(product), real, layer.rounding) + layer.hidden_zero_point,
      -128, 127);
  return next;
}

// One row of sums between -`most` and `most`, and cell states anywhere.
void ExpectFormula(const Layer& layer, std::int32_t most, std::mt19937& random) {
  std::uniform_int_distribution<std::int32_t> any_sum(-most, most);
  std::uniform_int_distribution<int> any_cell(-32768, 32767);
  std::vector<std::int32_t> p(kWidth);
  std::vector<std::int32_t> r(kWidth);
  std::vector<std::int16_t> c(kUnits);
  for (std::int32_t& sum : p) sum = any_sum(random);
  for (std::int32_t& sum : r) sum = any_sum(random);
  for (std::int16_t& cell : c) cell = static_cast<std::int16_t>(any_cell(random));
  c[0] = 32767;
  c[1] = -32768;
  const std::vector<std::int16_t> before = c;
  const FixedPointLstm lstm = layer.Make();
  std::vector<std::int16_t> projected(kWidth);
  std::vector<std::int8_t> h(kUnits);
  lstm.Project(p, projected);
  lstm.Advance({.projected = projected, .sums = r, .c = c, .h = h});
  for (std::size_t unit = 0; unit < kUnits; ++unit) {
    const State wanted = Expected(layer, p, r, before[unit], unit);
    ASSERT_EQ(c[unit], wanted.c) << "unit " << unit << ", sums to " << most;
    ASSERT_EQ(h[unit], wanted.h) << "unit " << unit << ", sums to " << most;
  }
}

std::vector<Layer> Layers() {
  std::vector<Layer> layers;
  for (const LstmFormula formula : {LstmFormula::kMicro, LstmFormula::kLiteRt}) {
    for (const FixedRounding rounding : {FixedRounding::kDouble, FixedRounding::kSingle}) {
      for (const int cell_exponent : {-15, -12, -11, -9}) {
        layers.push_back(
            {.formula = formula, .rounding = rounding, .cell_exponent = cell_exponent});
      }
      layers.push_back({.formula = formula, .rounding = rounding, .cell_clip = 900});
      // Scales above 1, and an output that saturates.
      layers.push_back({.formula = formula,
                        .rounding = rounding,
                        .input_scale = std::vector<double>(kWidth, 2.9),
                        .recurrent_scale = std::vector<double>(kWidth, 1.0),
                        .hidden_scale = 0.003F,
                        .hidden_zero_point = -128});
    }
  }
  return layers;
}

TEST(FixedPointLstmTest, EqualsTheFormula) {
  std::mt19937 random(7);
  for (const Layer& layer : Layers()) {
    for (const std::int32_t most : {100, 20000, 400000, 100000000}) {
      for (int i = 0; i < 3; ++i) ExpectFormula(layer, most, random);
    }
  }
}

// The largest sums there are, and scales to match: nothing leaves its type.
TEST(FixedPointLstmTest, ExtremesSaturate) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  for (Layer layer : Layers()) {
    layer.input_scale.assign(kWidth, 1e300);
    layer.recurrent_scale.assign(kWidth, 0.0);
    layer.hidden_scale = 1e-44F;
    const FixedPointLstm lstm = layer.Make();
    const std::vector<std::int32_t> sums(kWidth, kMost);
    std::vector<std::int16_t> projected(kWidth);
    lstm.Project(sums, projected);
    EXPECT_EQ(projected, std::vector<std::int16_t>(kWidth, 32767));
    std::vector<std::int16_t> c(kUnits, 32767);
    std::vector<std::int8_t> h(kUnits);
    lstm.Advance({.projected = projected, .sums = sums, .c = c, .h = h});
    EXPECT_EQ(h, std::vector<std::int8_t>(kUnits, 127));
    const std::vector<std::int32_t> lowest(kWidth, -kMost - 1);
    lstm.Project(lowest, projected);
    EXPECT_EQ(projected, std::vector<std::int16_t>(kWidth, -32768));
  }
}

// What the two add differently: a second term beyond int16 that the first one brings back.
TEST(FixedPointLstmTest, MicroClipsEachTerm) {
  Layer layer;
  layer.input_scale.assign(kWidth, 1.0);
  layer.recurrent_scale.assign(kWidth, 1.0);
  const std::vector<std::int32_t> first(kWidth, -30000);
  const std::vector<std::int32_t> second(kWidth, 60000);
  std::vector<std::int8_t> results[2];
  for (const LstmFormula formula : {LstmFormula::kMicro, LstmFormula::kLiteRt}) {
    layer.formula = formula;
    const FixedPointLstm lstm = layer.Make();
    std::vector<std::int16_t> projected(kWidth);
    std::vector<std::int16_t> c(kUnits, 0);
    std::vector<std::int8_t>& h = results[formula == LstmFormula::kMicro ? 0 : 1];
    h.resize(kUnits);
    lstm.Project(first, projected);
    lstm.Advance({.projected = projected, .sums = second, .c = c, .h = h});
  }
  EXPECT_NE(results[0], results[1]);
}

}  // namespace
}  // namespace octet::kernels
