// SPDX-License-Identifier: Apache-2.0
// Elementary functions on float32, written so that a compiler can vectorize a
// loop of them.
//
// Private to this room. There is no branch and no table in them, and every
// instruction set compiles the same expressions, in which multiplications are
// fused with additions where it is written so and nowhere else: equal results
// bit for bit everywhere. The logarithm's polynomial is of Cephes (S. Moshier),
// the others are minimax fits of our own. The functions have internal linkage,
// because each instruction set compiles its own copy with its own flags.

#pragma once

#include <cstdint>

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr float kInfinity = __builtin_inff();

inline std::int32_t FloatBits(float x) { return __builtin_bit_cast(std::int32_t, x); }
inline float BitsFloat(std::int32_t x) { return __builtin_bit_cast(float, x); }
inline float Absolute(float x) { return BitsFloat(FloatBits(x) & 0x7FFFFFFF); }

// a * b + c, rounded once. An instruction where there is FMA; the reference
// calls the C library's.
inline float MultiplyAdd(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

// The polynomial of x with these coefficients, the highest power's first.
template <typename... Coefficients>
inline float Polynomial(float x, float highest, Coefficients... lower) {
  float p = highest;
  ((p = MultiplyAdd(p, x, lower)), ...);
  return p;
}

// The numbers of Exp, for a set that computes it by intrinsics.
struct ExpFormula {
  // Beyond these the result is 0 or infinity in any case.
  static constexpr float kLowest = -87.6F;
  static constexpr float kHighest = 89.0F;
  static constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23
  static constexpr float kLog2OfE = 1.44269504088896341F;
  static constexpr float kMinusLn2High = -0.693147182464599609F;
  static constexpr float kMinusLn2Low = 1.904654323148236e-09F;
  // Of 2 exp(r) for |r| <= ln(2) / 2, the highest power's first.
  static constexpr int kNumCoefficients = 7;
  static constexpr float kTwiceExp[kNumCoefficients] = {0.0027629078831523657F,
                                                        0.01673749089241028F,
                                                        0.08333677798509598F,
                                                        0.3333304226398468F,
                                                        0.9999998807907104F,
                                                        2.0F,
                                                        2.0F};
  // From the bits of n + kMagic to the exponent's of 2^(n - 1).
  static constexpr std::int32_t kExponentBias = 126 - 0x4B400000;
};

inline float Exp(float x) {
  using F = ExpFormula;
  // A NaN goes on as it is.
  const float below = x > F::kHighest ? F::kHighest : x;
  const float c = below < F::kLowest ? F::kLowest : below;
  // n = round(c / ln 2) lies in the low bits of c / ln 2 + 1.5 * 2^23.
  const float shifted = MultiplyAdd(c, F::kLog2OfE, F::kMagic);
  const float n = shifted - F::kMagic;
  const float r = MultiplyAdd(n, F::kMinusLn2Low, MultiplyAdd(n, F::kMinusLn2High, c));
  // 2 exp(r), times 2^(n - 1): n reaches 128, where the result may still be finite. A result below
  // 2^-126 is 0.
  const auto& t = F::kTwiceExp;
  const float p = Polynomial(r, t[0], t[1], t[2], t[3], t[4], t[5], t[6]);
  const std::uint32_t exponent =
      static_cast<std::uint32_t>(FloatBits(shifted)) + static_cast<std::uint32_t>(F::kExponentBias);
  return p * BitsFloat(static_cast<std::int32_t>(exponent << 23));
}

inline float Expm1(float x) {
  // exp(x) - 1 - x over x^2, for |x| < 0.35.
  const float tail = Polynomial(x, 1.9875691500E-4F, 1.3981999507E-3F, 8.3334519073E-3F,
                                4.1665795894E-2F, 1.6666665459E-1F, 5.0000001201E-1F);
  const float small = MultiplyAdd(tail, x * x, x);
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
  float y = Polynomial(m, 7.0376836292E-2F, -1.1514610310E-1F, 1.1676998740E-1F, -1.2420140846E-1F,
                       1.4249322787E-1F, -1.6668057665E-1F, 2.0000714765E-1F, -2.4999993993E-1F,
                       3.3333331174E-1F) *
            m * z;
  y = MultiplyAdd(e, -2.12194440e-4F, y);
  y = MultiplyAdd(-0.5F, z, y);
  y = MultiplyAdd(e, 0.693359375F, m + y);
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
  // A rational function of relative error 6e-9 up to 8, where tanh is 1 - 2e-7.
  const float below = x > 8.0F ? 8.0F : x;
  const float c = below < -8.0F ? -8.0F : below;
  const float z = c * c;
  const float p = Polynomial(z, 1.5230467553806193e-08F, 2.1894697056268342e-05F,
                             0.0035716001875698566F, 0.13444499671459198F, 1.0F);
  const float q = Polynomial(z, 8.52246671456669e-07F, 0.00034112954745069146F,
                             0.026164451614022255F, 0.4677782654762268F, 1.0F);
  return c * p / q;
}

inline float Sigmoid(float x) { return 1.0F / (1.0F + Exp(-x)); }

// x * (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - a Q(a), where a = |x| and Q(a) is the tail
// probability of the normal distribution: one small term, so that nothing cancels. Q(a) is
// p(a)^-8 within 1e-8 with a polynomial p.
inline float Gelu(float x) {
  const float magnitude = Absolute(x);
  const float a =
      magnitude > 64.0F ? 64.0F : magnitude;  // a power of it must not be infinity / infinity
  const float p = Polynomial(a, 4.116369893836236e-07F, -2.772192601696588e-06F,
                             1.7326794477412477e-05F, -6.693737759633223e-06F,
                             0.0003292561450507492F, 0.0008456874638795853F, 0.009505350142717361F,
                             0.0488002672791481F, 0.10876425355672836F, 1.0905076265335083F);
  const float p2 = p * p;
  const float p4 = p2 * p2;
  return (x > 0.0F ? x : 0.0F) - a / (p4 * p4);
}

inline float Softplus(float x) {
  return (x > 0.0F ? x : 0.0F) + Log1pOfUnit(Exp(-Absolute(x))) + (x != x ? x : 0.0F);
}

}  // namespace
}  // namespace octet::kernels
