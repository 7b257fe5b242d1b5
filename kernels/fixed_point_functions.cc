// SPDX-License-Identifier: Apache-2.0
#include "kernels/fixed_point_functions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace octet::kernels {
namespace {

constexpr std::int32_t kOne = std::numeric_limits<std::int32_t>::max();  // nearly, in Q0

// Of numbers in Qa and Qb, in Q(a + b); rounded half up.
std::int32_t Product(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>((std::int64_t{a} * std::int64_t{b} + (std::int64_t{1} << 30)) >>
                                   31);
}

std::int32_t MultiplyByPowerOf2(std::int32_t x, int exponent) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(
      std::clamp(std::int64_t{x} << exponent, kLowest, std::int64_t{kOne}));
}

// exp(x) in Q0 for x in Q0, from -1/4 to 0: the Taylor series around -1/8.
std::int32_t ExpAboveMinusQuarter(std::int32_t x) {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668;
  constexpr std::int32_t kThird = 715827883;
  const std::int32_t d = x + (1 << 28);
  const std::int32_t d2 = Product(d, d);
  const std::int32_t d3 = Product(d2, d);
  const std::int32_t d4 = Product(d2, d2);
  const std::int32_t higher =
      DivideByPowerOf2(Product(DivideByPowerOf2(d4, 2) + d3, kThird) + d2, 1);
  return kExpOfMinusEighth + Product(kExpOfMinusEighth, d + higher);
}

// 2 / (1 + x) in Q2, by Newton's method.
std::int32_t DoubleReciprocalOfOnePlus(std::int32_t x) {
  constexpr std::int32_t k48Over17 = 1515870810;        // Q2
  constexpr std::int32_t kMinus32Over17 = -1010580540;  // Q2
  const auto half = static_cast<std::int32_t>((std::int64_t{x} + kOne + 1) / 2);
  std::int32_t y = k48Over17 + Product(half, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = (1 << 29) - Product(half, y);
    y += MultiplyByPowerOf2(Product(y, error), 2);
  }
  return y;
}

// x in Q4 of each value; values that are this far from the zero point saturate.
struct TableInput {
  FixedPointScale scale;
  std::int32_t radius;
};

// The largest difference that is below 2^integer_bits - 1 after a shift to the left.
std::int32_t InputRadius(int integer_bits, int left_shift) {
  const double largest = static_cast<double>((1 << integer_bits) - 1) *
                         std::ldexp(1.0, 31 - integer_bits - left_shift);
  return static_cast<std::int32_t>(std::floor(std::min(largest, static_cast<double>(kOne))));
}

TableInput MakeTableInput(Scale scale, FixedRounding rounding) {
  constexpr int kIntegerBits = 4;
  const FixedPointNumber number =
      MakeFixedPointNumber(std::ldexp(static_cast<double>(scale.value), 31 - kIntegerBits));
  return {MakeFixedPointScale(number, rounding), InputRadius(kIntegerBits, number.exponent)};
}

template <typename Function>
Int8Table MakeTable(Scale scale, ZeroPoint zero_point, FixedRounding rounding, int output_bits,
                    std::int32_t output_zero_point, const Function& function) {
  const TableInput input = MakeTableInput(scale, rounding);
  Int8Table table;
  for (int value = -128; value < 128; ++value) {
    const std::int32_t x = value - zero_point.value;
    std::int32_t y = 0;
    if (x <= -input.radius) {
      y = -128;
    } else if (x >= input.radius) {
      y = 127;
    } else {
      const std::int32_t result = function(MultiplyFixedPoint(x, input.scale));
      y = std::clamp(DivideByPowerOf2(result, 31 - output_bits) + output_zero_point, -128, 127);
    }
    table[static_cast<std::uint8_t>(value + 128)] = static_cast<std::int8_t>(y);
  }
  return table;
}

}  // namespace

std::int32_t FixedPointExp(std::int32_t x, int integer_bits) {
  if (x == 0) return kOne;
  const int fraction_bits = 31 - integer_bits;
  const std::int32_t quarter = 1 << (fraction_bits - 2);
  const std::int32_t rest = (x & (quarter - 1)) - quarter;  // from -1/4 to 0
  std::int32_t result = ExpAboveMinusQuarter(rest << integer_bits);
  const std::int32_t quarters = rest - x;
  // exp(-2^i) in Q0, for i from -2 on.
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308,
                                       39332535,   720401,     242};
  for (int i = -2; i < integer_bits; ++i) {
    if ((quarters & (1 << (fraction_bits + i))) != 0) result = Product(result, kFactors[i + 2]);
  }
  return result;
}

std::int32_t FixedPointReciprocalOfOnePlus(std::int32_t x) {
  return MultiplyByPowerOf2(DoubleReciprocalOfOnePlus(x), 1);
}

std::int32_t FixedPointSigmoid(std::int32_t x) {
  if (x == 0) return 1 << 30;
  const std::int32_t positive = FixedPointReciprocalOfOnePlus(FixedPointExp(x > 0 ? -x : x, 4));
  return x > 0 ? positive : kOne - positive;
}

std::int32_t FixedPointTanh(std::int32_t x) {
  if (x == 0) return 0;
  // (1 - e) / (1 + e) = 2 / (1 + e) - 1, where e is exp(-2 |x|).
  const std::int32_t e = FixedPointExp(x > 0 ? -x : x, 5);
  const std::int32_t positive = MultiplyByPowerOf2(DoubleReciprocalOfOnePlus(e) - (1 << 29), 2);
  return x > 0 ? positive : -positive;
}

Int8Table FixedPointSigmoidTable(Scale scale, ZeroPoint zero_point, FixedRounding rounding) {
  return MakeTable(scale, zero_point, rounding, 8, -128, FixedPointSigmoid);
}

Int8Table FixedPointTanhTable(Scale scale, ZeroPoint zero_point, FixedRounding rounding) {
  return MakeTable(scale, zero_point, rounding, 7, 0, FixedPointTanh);
}

FixedPointSoftmax::FixedPointSoftmax(Scale scale, float beta, FixedRounding rounding) {
  constexpr int kIntegerBits = 5;
  constexpr int kSumBits = 12;
  // What is larger gives 0 for all but the largest value of a row.
  const double largest = rounding == FixedRounding::kSingle ? 0x3FFFFFFF : 0x7FFFFFFF;
  const double real = std::min(static_cast<double>(beta) * static_cast<double>(scale.value) *
                                   std::ldexp(1.0, 31 - kIntegerBits),
                               largest);
  FixedPointNumber number = MakeFixedPointNumber(real);
  const FixedPointScale factor = MakeFixedPointScale(number, rounding);
  const std::int32_t radius = InputRadius(kIntegerBits, number.exponent);
  for (std::int32_t difference = 0; difference < 256 && difference <= radius; ++difference) {
    const std::int32_t e = FixedPointExp(MultiplyFixedPoint(-difference, factor), kIntegerBits);
    exp_[static_cast<std::size_t>(difference)] = e;
    summand_[static_cast<std::size_t>(difference)] = DivideByPowerOf2(e, kSumBits);
  }
}

void FixedPointSoftmax::Run(std::span<const std::int8_t> in, std::span<std::int8_t> out) const {
  constexpr int kSumBits = 12;
  if (in.empty()) return;
  const std::int8_t largest = *std::max_element(in.begin(), in.end());
  // In Q12. Rows of more values than it has room for are refused by who prepares them.
  std::uint32_t sum = 0;
  for (const std::int8_t x : in) {
    sum += static_cast<std::uint32_t>(summand_[static_cast<std::size_t>(largest - x)]);
  }
  const int headroom = std::countl_zero(sum);
  const auto fraction = static_cast<std::int32_t>((sum << headroom) - (1U << 31));
  const std::int32_t reciprocal = FixedPointReciprocalOfOnePlus(fraction);
  const int exponent = kSumBits - headroom + 31 - 8;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int32_t e = exp_[static_cast<std::size_t>(largest - in[i])];
    const std::int32_t result = DivideByPowerOf2(Product(reciprocal, e), exponent) - 128;
    out[i] = static_cast<std::int8_t>(std::clamp(result, -128, 127));
  }
}

}  // namespace octet::kernels
