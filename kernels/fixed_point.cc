// SPDX-License-Identifier: Apache-2.0
#include "kernels/fixed_point.h"

#include <algorithm>
#include <cmath>

namespace octet::kernels {

FixedPointNumber MakeFixedPointNumber(double real) {
  constexpr std::int64_t kOne = std::int64_t{1} << 31;
  int exponent = 0;
  auto multiplier = static_cast<std::int64_t>(
      std::round(std::frexp(real, &exponent) * static_cast<double>(kOne)));
  if (multiplier == kOne) {
    multiplier /= 2;
    ++exponent;
  }
  if (exponent < -31) return {};
  if (exponent > kLargestExponent) return {static_cast<std::int32_t>(kOne - 1), kLargestExponent};
  return {static_cast<std::int32_t>(multiplier), exponent};
}

double FixedPointScale::Real() const { return std::ldexp(static_cast<double>(multiplier), -shift); }

FixedPointScale MakeFixedPointScale(const FixedPointNumber& number, FixedRounding rounding) {
  constexpr std::int64_t kOne = 1;
  FixedPointScale scale = {.multiplier = number.multiplier, .shift = 31 - number.exponent};
  scale.round = kOne << (scale.shift - 1);
  scale.round_negative = scale.round;
  if (rounding == FixedRounding::kDouble && number.exponent < 0) {
    // Nested floors are one: with y = (x * multiplier + 2^30) >> 31, the first rounding, the second
    // is (y + 2^(e - 1) - (y < 0)) >> e. y is below 0 where x is, or is 0, and then so is
    // the result either way.
    scale.round += kOne << 30;
    scale.round_negative = scale.round - (kOne << 31);
  }
  return scale;
}

double FixedMultiplierS16(const FixedPointNumber& number) {
  constexpr std::int32_t kLargest = 0x7FFF;
  const std::int64_t rounded = (std::int64_t{number.multiplier} + (1 << 15)) >> 16;
  const auto reduced = static_cast<double>(std::min(rounded, std::int64_t{kLargest}));
  return std::ldexp(reduced, number.exponent - 15);
}

std::int32_t MultiplyFixedPoint(std::int32_t x, const FixedPointScale& scale) {
  const std::int64_t product = std::int64_t{x} * scale.multiplier;
  const std::int64_t rounded = product + (x < 0 ? scale.round_negative : scale.round);
  return static_cast<std::int32_t>(rounded >> scale.shift);
}

std::int32_t DivideByPowerOf2(std::int32_t x, int exponent) {
  if (exponent == 0) return x;
  const std::int64_t half = std::int64_t{1} << (exponent - 1);
  return static_cast<std::int32_t>((x + half - (x < 0 ? 1 : 0)) >> exponent);
}

}  // namespace octet::kernels
