// SPDX-License-Identifier: Apache-2.0
// Against gemmlowp's functions, of which TensorFlow Lite's products are made.
#include "kernels/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gemmlowp/fixedpoint/fixedpoint.h>
#include <gtest/gtest.h>
#include <limits>
#include <random>

namespace octet::kernels {
namespace {

constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();

std::int32_t DoublyRounded(std::int32_t x, const FixedPointNumber& number) {
  const int left = std::max(number.exponent, 0);
  return gemmlowp::RoundingDivideByPOT(
      gemmlowp::SaturatingRoundingDoublingHighMul(x * (1 << left), number.multiplier),
      std::max(-number.exponent, 0));
}

std::int32_t SinglyRounded(std::int32_t x, const FixedPointNumber& number) {
  const int shift = 31 - number.exponent;
  const std::int64_t product = std::int64_t{x} * number.multiplier;
  return static_cast<std::int32_t>((product + (std::int64_t{1} << (shift - 1))) >> shift);
}

void ExpectEqual(std::int32_t x, const FixedPointNumber& number) {
  // A shift to the left is TensorFlow Lite's only where nothing is lost.
  const int left = std::max(number.exponent, 0);
  if (std::abs(std::int64_t{x}) > (std::int64_t{kMax} >> left)) return;
  EXPECT_EQ(MultiplyFixedPoint(x, MakeFixedPointScale(number, FixedRounding::kDouble)),
            DoublyRounded(x, number))
      << x << " * " << number.multiplier << " * 2^" << number.exponent;
  EXPECT_EQ(MultiplyFixedPoint(x, MakeFixedPointScale(number, FixedRounding::kSingle)),
            SinglyRounded(x, number))
      << x << " * " << number.multiplier << " * 2^" << number.exponent;
}

TEST(FixedPointTest, EqualsGemmlowpAtTheEdges) {
  for (int exponent = -31; exponent <= 30; ++exponent) {
    for (const std::int32_t multiplier :
         {0, 1, 1 << 20, 1 << 29, 1 << 30, (1 << 30) + 1, 3 << 29, kMax - 1, kMax}) {
      for (const std::int32_t x : {0, 1, -1, 2, -2, 3, -3, 255, -255, kMax, kMin + 1, kMin}) {
        ExpectEqual(x, {multiplier, exponent});
      }
      // Around all ties of the second rounding.
      for (int bit = 0; bit < 31; ++bit) {
        for (const std::int32_t delta : {-1, 0, 1}) {
          ExpectEqual((1 << bit) + delta, {multiplier, exponent});
          ExpectEqual(-(1 << bit) + delta, {multiplier, exponent});
        }
      }
    }
  }
}

TEST(FixedPointTest, EqualsGemmlowpOnRandomNumbers) {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::int32_t> any(kMin, kMax);
  std::uniform_int_distribution<std::int32_t> multiplier(1 << 28, kMax);
  std::uniform_int_distribution<int> exponent(-31, 30);
  std::uniform_int_distribution<int> shift(0, 30);
  for (int i = 0; i < 1000000; ++i) {
    ExpectEqual(any(random) >> shift(random), {multiplier(random), exponent(random)});
  }
}

TEST(FixedPointTest, NumbersAreTheNearestOf31Bits) {
  EXPECT_EQ(MakeFixedPointNumber(0.0).multiplier, 0);
  EXPECT_EQ(MakeFixedPointNumber(std::ldexp(1.0, -33)).multiplier, 0);
  const auto expect = [](double real, std::int32_t multiplier, int exponent) {
    const FixedPointNumber number = MakeFixedPointNumber(real);
    EXPECT_EQ(number.multiplier, multiplier) << real;
    EXPECT_EQ(number.exponent, exponent) << real;
  };
  expect(1.0, 1 << 30, 1);
  expect(0.5, 1 << 30, 0);
  expect(0.75, 3 << 29, 0);
  expect(std::ldexp(1.0, -32), 1 << 30, -31);
  // Rounds up to the next power of two.
  expect(1.0 - std::ldexp(1.0, -40), 1 << 30, 1);
  // A half in the 32nd bit goes away from zero.
  expect(0.5 + std::ldexp(1.0, -32), (1 << 30) + 1, 0);
  expect(1e300, kMax, kLargestExponent);
  std::mt19937 random(8);
  std::uniform_real_distribution<double> exponents(-31.0, 30.0);
  for (int i = 0; i < 1000; ++i) {
    const double real = std::exp2(exponents(random));
    const FixedPointScale scale =
        MakeFixedPointScale(MakeFixedPointNumber(real), FixedRounding::kDouble);
    EXPECT_NEAR(scale.Real() / real, 1.0, std::ldexp(1.0, -31));
  }
}

}  // namespace
}  // namespace octet::kernels
