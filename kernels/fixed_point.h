// SPDX-License-Identifier: Apache-2.0
// Products with a real number in fixed point, as TensorFlow Lite's reference kernels and gemmlowp
// compute them.

#pragma once

#include <cstdint>

namespace octet::kernels {

// How a product is brought back to an integer.
enum class FixedRounding : std::uint8_t {
  kDouble,  // twice: to 31 fraction bits of the multiplier, half up, then by the exponent, half
            // away from zero
  kSingle,  // once, half up: TFLITE_SINGLE_ROUNDING
};

// A real number: multiplier * 2^(exponent - 31), where the multiplier is in [0, 2^31).
struct FixedPointNumber {
  std::int32_t multiplier = 0;
  int exponent = 0;  // at most kLargestExponent
};
inline constexpr int kLargestExponent = 30;

// `real` in 31 bits, of which the highest is set, rounded half away from zero; 0 for what is below
// 2^-32. Larger numbers than 2^30 become the largest there is. TensorFlow Lite: QuantizeMultiplier.
// Precondition: `real` is finite and not negative.
FixedPointNumber MakeFixedPointNumber(double real);

// A FixedPointNumber and its rounding as one shift, which gives the same:
//   x * number = (x * multiplier + (x < 0 ? round_negative : round)) >> shift
// in 64 bits, which hold it; the result is its low 32 bits.
struct FixedPointScale {
  std::int32_t multiplier = 0;
  std::int32_t shift = 31;  // in [1, 62]
  std::int64_t round = std::int64_t{1} << 30;
  std::int64_t round_negative = std::int64_t{1} << 30;

  [[nodiscard]] double Real() const;
};
FixedPointScale MakeFixedPointScale(const FixedPointNumber& number, FixedRounding rounding);

// A FixedPointNumber in 15 bits, as TensorFlow Lite multiplies int64 by it.
double FixedMultiplierS16(const FixedPointNumber& number);

// x * scale. TensorFlow Lite: MultiplyByQuantizedMultiplier.
std::int32_t MultiplyFixedPoint(std::int32_t x, const FixedPointScale& scale);

// x / 2^exponent, rounded half away from zero, for an exponent in [0, 31]. gemmlowp:
// RoundingDivideByPOT.
std::int32_t DivideByPowerOf2(std::int32_t x, int exponent);

}  // namespace octet::kernels
