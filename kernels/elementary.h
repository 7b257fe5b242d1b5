// SPDX-License-Identifier: Apache-2.0
// Elementary functions on float32, written so that a compiler can vectorize a
// loop of them.
//
// Private to this room. There is no branch, no call and no table in them, and
// every instruction set compiles the same expressions without contraction:
// equal results bit for bit everywhere. Polynomials: Cephes (S. Moshier), erfc
// our own. The functions have internal linkage, because each instruction set
// compiles its own copy with its own flags.

#pragma once

#include <cstdint>

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr float kInfinity = __builtin_inff();

inline std::int32_t FloatBits(float x) { return __builtin_bit_cast(std::int32_t, x); }
inline float BitsFloat(std::int32_t x) { return __builtin_bit_cast(float, x); }
inline float Absolute(float x) { return BitsFloat(FloatBits(x) & 0x7FFFFFFF); }
inline float CopySign(float magnitude, float sign) {
  return BitsFloat((FloatBits(magnitude) & 0x7FFFFFFF) |
                   (FloatBits(sign) & static_cast<std::int32_t>(0x80000000U)));
}

// Round half to even for |x| < 2^22.
inline float RoundHalfEven(float x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23
  return (x + kMagic) - kMagic;
}

// The part of exp(r) - 1 - r, for |r| <= ln(2) / 2.
inline float ExpTail(float r) {
  float p = 1.9875691500E-4F;
  p = p * r + 1.3981999507E-3F;
  p = p * r + 8.3334519073E-3F;
  p = p * r + 4.1665795894E-2F;
  p = p * r + 1.6666665459E-1F;
  p = p * r + 5.0000001201E-1F;
  return p * r * r;
}

inline float Exp(float x) {
  // Beyond these the result is 0 or infinity in any case; a NaN goes on as it
  // is.
  const float clamped_above = x > 89.0F ? 89.0F : x;
  const float c = clamped_above < -104.0F ? -104.0F : clamped_above;
  const float n = RoundHalfEven(c * 1.44269504088896341F);
  const float r = (c - n * 0.693359375F) - n * -2.12194440e-4F;
  const float p = ExpTail(r) + r + 1.0F;
  // 2^n in two factors, because n reaches from -150 to 128. A NaN's conversion
  // is not used: its p is NaN already; the bits of n + magic hold the integer
  // without undefined behaviour.
  const std::int32_t e = FloatBits(n + 12582912.0F) - 0x4B400000;
  const std::int32_t half = e >> 1;
  const float a =
      BitsFloat(static_cast<std::int32_t>(static_cast<std::uint32_t>(half + 127) << 23));
  const float b =
      BitsFloat(static_cast<std::int32_t>(static_cast<std::uint32_t>(e - half + 127) << 23));
  const float y = p * a * b;
  return x != x ? x : y;
}

inline float Expm1(float x) {
  const float small = ExpTail(x) + x;
  const float large = Exp(x) - 1.0F;
  return Absolute(x) < 0.34F ? small : large;
}

inline float Log(float x) {
  // Denormals are scaled up first.
  const bool is_tiny = x < 1.17549435e-38F;
  const float scaled = is_tiny ? x * 8388608.0F : x;
  const std::int32_t bits = FloatBits(scaled);
  // Mantissa into [sqrt(1/2), sqrt(2)).
  // Unsigned, so that negative numbers, whose result is replaced below, may wrap around.
  const auto shifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits) - 0x3F3504F3U);
  const std::int32_t exponent = shifted >> 23;
  const float m = BitsFloat((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0F;
  const float e = static_cast<float>(exponent - (is_tiny ? 23 : 0));
  const float z = m * m;
  float p = 7.0376836292E-2F;
  p = p * m - 1.1514610310E-1F;
  p = p * m + 1.1676998740E-1F;
  p = p * m - 1.2420140846E-1F;
  p = p * m + 1.4249322787E-1F;
  p = p * m - 1.6668057665E-1F;
  p = p * m + 2.0000714765E-1F;
  p = p * m - 2.4999993993E-1F;
  p = p * m + 3.3333331174E-1F;
  float y = p * m * z;
  y = y + e * -2.12194440e-4F;
  y = y - 0.5F * z;
  y = (m + y) + e * 0.693359375F;
  const float at_zero = x == 0.0F ? -kInfinity : __builtin_nanf("");
  const float low = x > 0.0F ? y : at_zero;
  return x < kInfinity ? low : x;  // infinity and NaN give themselves
}

// log(1 + t) for t in [0, 1].
inline float Log1pOfUnit(float t) {
  const float u = 1.0F + t;
  return Log(u) + (t - (u - 1.0F)) / u;
}

inline float Tanh(float x) {
  const float a = Absolute(x);
  const float z = x * x;
  float p = -5.70498872745E-3F;
  p = p * z + 2.06390887954E-2F;
  p = p * z - 5.37397155531E-2F;
  p = p * z + 1.33314422036E-1F;
  p = p * z - 3.33332819422E-1F;
  const float small = p * z * x + x;
  const float large = CopySign(1.0F - 2.0F / (Exp(a + a) + 1.0F), x);
  const float y = a < 0.625F ? small : large;
  return x != x ? x : y;
}

inline float Sigmoid(float x) { return 1.0F / (1.0F + Exp(-x)); }

// erfc(a) for a >= 1; smaller a give something finite.
inline float ErfcTail(float value) {
  const float a = value > 1.0F ? value : 1.0F;
  const float q = 1.0F / a;
  // a * exp(a^2) * erfc(a) as a polynomial of 1 / a, fitted on 1 <= a <= 10.
  float p = -0.02963564544916153F;
  p = p * q + 0.228020012F;
  p = p * q - 0.754389942F;
  p = p * q + 1.40121293F;
  p = p * q - 1.56347442F;
  p = p * q + 0.964594007F;
  p = p * q - 0.114460558F;
  p = p * q - 0.26747492F;
  p = p * q - 0.00102765765F;
  p = p * q + 0.564219832F;
  return Exp(-(a * a)) * q * p;
}

// 1 + erf(x), without cancellation for negative x.
inline float OnePlusErf(float x) {
  const float z = x * x;
  float p = 7.853861353153693E-5F;
  p = p * z - 8.010193625184903E-4F;
  p = p * z + 5.188327685732524E-3F;
  p = p * z - 2.685381193529856E-2F;
  p = p * z + 1.128358514861418E-1F;
  p = p * z - 3.761262582423300E-1F;
  p = p * z + 1.128379165726710E+0F;
  const float middle = 1.0F + x * p;
  const float tail = ErfcTail(Absolute(x));
  const float outer = x > 0.0F ? 2.0F - tail : tail;
  const float y = Absolute(x) < 1.0F ? middle : outer;
  return x != x ? x : y;
}

inline float Softplus(float x) {
  return (x > 0.0F ? x : 0.0F) + Log1pOfUnit(Exp(-Absolute(x))) + (x != x ? x : 0.0F);
}

}  // namespace
}  // namespace octet::kernels
