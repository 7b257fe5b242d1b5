// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul_s16.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

using testing::HasSubstr;

struct Case {
  std::size_t m, k, n;
};

// Tails on every side of the blocks of all sets, and sums that take several parts.
constexpr Case kCases[] = {{1, 1, 1},     {1, 64, 16},  {1, 63, 17},  {2, 65, 33},   {3, 7, 5},
                           {4, 128, 32},  {5, 100, 31}, {6, 2, 64},   {7, 3, 48},    {8, 192, 10},
                           {11, 130, 47}, {16, 64, 96}, {47, 33, 15}, {48, 256, 32}, {49, 77, 18},
                           {241, 20, 9},  {3, 1200, 5}, {50, 1531, 3}};

struct Result {
  std::vector<std::int16_t> s16;
  std::vector<float> f32;
};

class MatmulS16Test : public KernelSetTest {
 protected:
  Result Run(const KernelSet& kernels, const MatmulS16Spec& spec, std::size_t m,
             const std::vector<std::int16_t>& lhs) {
    Result result;
    const auto prepared = kernels.prepare_matmul_s16(spec);
    EXPECT_NE(prepared.kernel, nullptr) << prepared.error;
    if (prepared.kernel == nullptr) return result;
    EXPECT_FALSE(prepared.kernel->Provider().empty());
    EXPECT_GT(prepared.kernel->PackedByteSize(), 0U);
    const Scratch scratch(prepared.kernel->ScratchByteSize(m));
    MatmulS16::Arguments arguments = {.m = m, .lhs = lhs, .scratch = scratch.span()};
    if (spec.epilogue.kind == EpilogueKind::kStatic) {
      result.s16.resize(m * spec.n);
      arguments.out.s16 = result.s16;
    } else {
      result.f32.resize(m * spec.n);
      arguments.out.f32 = result.f32;
    }
    prepared.kernel->Run(arguments);
    return result;
  }

  void ExpectEqualToReference(const MatmulS16Spec& spec, std::size_t m,
                              const std::vector<std::int16_t>& lhs) {
    const Result got = Run(set(), spec, m, lhs);
    const Result wanted = Run(Reference(), spec, m, lhs);
    EXPECT_EQ(got.s16, wanted.s16);
    EXPECT_TRUE(SameBits(got.f32, wanted.f32));
  }

  std::vector<std::int64_t> Biases(std::size_t n) {
    std::vector<std::int64_t> bias(n);
    for (std::size_t j = 0; j < n; ++j) {
      bias[j] = static_cast<std::int64_t>(Size(0, 2'000'000)) - 1'000'000;
    }
    if (n > 2) bias[2] = std::int64_t{1} << 52;
    return bias;
  }
};

double Rounded(double real, HalfRounding rounding) {
  if (rounding == HalfRounding::kEven) return std::nearbyint(real);
  return rounding == HalfRounding::kAway ? std::round(real) : std::floor(real + 0.5);
}

// The contract's formula, with the C library's rounding.
std::vector<std::int16_t> ResultsOf(const MatmulS16Spec& spec, std::size_t m,
                                    const std::vector<std::int16_t>& lhs) {
  std::vector<std::int16_t> results(m * spec.n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      std::int64_t acc = spec.epilogue.bias.empty() ? 0 : spec.epilogue.bias[j];
      for (std::size_t p = 0; p < spec.k; ++p) {
        const std::size_t at =
            spec.layout == WeightLayout::kInputMajor ? p * spec.n + j : j * spec.k + p;
        acc += std::int64_t{lhs[i * spec.k + p]} * spec.weight[at];
      }
      const double real = static_cast<double>(acc) * spec.epilogue.multiplier[j];
      results[i * spec.n + j] = static_cast<std::int16_t>(std::clamp<double>(
          Rounded(real, spec.epilogue.rounding), spec.epilogue.lo, spec.epilogue.hi));
    }
  }
  return results;
}

TEST_P(MatmulS16Test, ResultsAreThoseOfTheFormula) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n);
    const auto lhs = Shorts(c.m * c.k);
    const auto bias = Biases(c.n);
    // Powers of two, so that there are ties to round, among others.
    auto multiplier = Doubles(c.n, 1e-5, 2e-2);
    for (std::size_t j = 0; j < c.n; j += 3) multiplier[j] = 1.0 / 1024;
    for (const auto layout : {WeightLayout::kInputMajor, WeightLayout::kOutputMajor}) {
      MatmulS16Spec spec = {.k = c.k, .n = c.n, .layout = layout, .weight = weight};
      spec.epilogue.multiplier = multiplier;
      EXPECT_EQ(Run(set(), spec, c.m, lhs).s16, ResultsOf(spec, c.m, lhs));
      spec.epilogue.bias = bias;
      EXPECT_EQ(Run(set(), spec, c.m, lhs).s16, ResultsOf(spec, c.m, lhs));
      spec.epilogue.lo = 0;
      spec.epilogue.hi = 6000;
      EXPECT_EQ(Run(set(), spec, c.m, lhs).s16, ResultsOf(spec, c.m, lhs));
    }
  }
}

TEST_P(MatmulS16Test, RoundsHalvesAsAsked) {
  const std::vector<std::int8_t> weight(1, 1);
  const std::vector<double> half(1, 0.5);
  MatmulS16Spec spec = {.k = 1, .n = 1, .weight = weight};
  spec.epilogue.multiplier = half;
  const std::vector<std::int16_t> x = {1, 3, -1, -3, 2, -2, 32767, -32767};
  spec.epilogue.rounding = HalfRounding::kAway;
  EXPECT_EQ(Run(set(), spec, x.size(), x).s16,
            (std::vector<std::int16_t>{1, 2, -1, -2, 1, -1, 16384, -16384}));
  spec.epilogue.rounding = HalfRounding::kUp;
  EXPECT_EQ(Run(set(), spec, x.size(), x).s16,
            (std::vector<std::int16_t>{1, 2, 0, -1, 1, -1, 16384, -16383}));
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto wide = Bytes(c.k * c.n);
    const auto lhs = Shorts(c.m * c.k);
    // Sums of many halves.
    const std::vector<double> multiplier(c.n, 1.0 / 2048);
    spec = {.k = c.k, .n = c.n, .weight = wide};
    spec.epilogue.multiplier = multiplier;
    for (const auto rounding : {HalfRounding::kAway, HalfRounding::kUp}) {
      spec.epilogue.rounding = rounding;
      EXPECT_EQ(Run(set(), spec, c.m, lhs).s16, ResultsOf(spec, c.m, lhs));
    }
  }
}

// TensorFlow Lite: (x * multiplier of 15 bits + 2^(shift - 1)) >> shift, in 64 bits.
TEST_P(MatmulS16Test, FixedPointIsThatOfIntegers) {
  constexpr std::size_t kK = 37;
  constexpr std::size_t kM = 50;
  const double reals[] = {1e-4, 0.0071, 0.0078125, 0.9999999, 3.7, 1e-7, 1e-10, 0.0, 0.3};
  constexpr std::size_t kN = std::size(reals);
  const auto weight = Bytes(kK * kN);
  const auto lhs = Shorts(kM * kK);
  std::vector<double> multiplier;
  for (const double real : reals) {
    multiplier.push_back(FixedMultiplierS16(MakeFixedPointNumber(real)));
  }
  std::vector<std::int64_t> bias(kN, 0);
  for (std::size_t j = 0; j < kN; ++j) bias[j] = static_cast<std::int64_t>(Size(0, 1 << 30));
  bias[5] = (std::int64_t{1} << 38) - (1 << 28);
  MatmulS16Spec spec = {.k = kK, .n = kN, .weight = weight};
  spec.epilogue = {.bias = bias, .multiplier = multiplier, .rounding = HalfRounding::kUp};
  const std::vector<std::int16_t> got = Run(set(), spec, kM, lhs).s16;
  ASSERT_EQ(got.size(), kM * kN);
  for (std::size_t i = 0; i < kM; ++i) {
    for (std::size_t j = 0; j < kN; ++j) {
      std::int64_t acc = bias[j];
      for (std::size_t p = 0; p < kK; ++p) {
        acc += std::int64_t{lhs[i * kK + p]} * weight[p * kN + j];
      }
      const FixedPointNumber number = MakeFixedPointNumber(reals[j]);
      const std::int64_t reduced =
          number.multiplier < 0x7FFF0000 ? (number.multiplier + (1 << 15)) >> 16 : 0x7FFF;
      const int shift = 15 - number.exponent;
      const std::int64_t y = (acc * reduced + (std::int64_t{1} << (shift - 1))) >> shift;
      EXPECT_EQ(got[i * kN + j], std::clamp<std::int64_t>(y, -32768, 32767)) << reals[j];
    }
  }
  ++bias[5];
  bias[5] += 1 << 28;
  EXPECT_THAT(set().prepare_matmul_s16(spec).error, HasSubstr("may reach beyond 2^38"));
}

TEST_P(MatmulS16Test, FloatResultsAreEqualToTheBit) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n);
    const auto lhs = Shorts(c.m * c.k);
    const auto bias = Biases(c.n);
    const auto multiplier = Doubles(c.n, 1e-9, 1e-6);
    for (const auto kind :
         {ActivationKind::kLinear, ActivationKind::kRelu, ActivationKind::kTanh}) {
      ExpectEqualToReference({.k = c.k,
                              .n = c.n,
                              .weight = weight,
                              .epilogue = {.kind = EpilogueKind::kStaticFloat,
                                           .bias = bias,
                                           .multiplier = multiplier,
                                           .activation = DefaultActivation(kind)}},
                             c.m, lhs);
    }
  }
}

TEST_P(MatmulS16Test, LongSumsAreExact) {
  // From 512 terms on, -32768 * -128 leaves int32; 2^20 of them make 2^42, which float32 could not
  // tell from its neighbours.
  for (const int x : {-32768, 32767}) {
    for (const int w : {-128, 127}) {
      for (const std::size_t k : {511UL, 512UL, 513UL, 4095UL, 1UL << 20}) {
        for (const std::size_t m : {1UL, 5UL}) {
          const std::vector<std::int16_t> lhs(m * k, static_cast<std::int16_t>(x));
          const std::vector<std::int8_t> weight(k, static_cast<std::int8_t>(w));
          const std::int64_t sum = std::int64_t{x} * w * static_cast<std::int64_t>(k);
          // What is left is 3, so that any error of the sum shows.
          const std::vector<std::int64_t> bias(1, 3 - sum);
          const std::vector<double> multiplier(1, 1.0);
          MatmulS16Spec spec = {.k = k, .n = 1, .weight = weight};
          spec.epilogue = {.bias = bias, .multiplier = multiplier};
          EXPECT_EQ(Run(set(), spec, m, lhs).s16, std::vector<std::int16_t>(m, 3))
              << x << " * " << w << " * " << k;
        }
      }
    }
  }
}

TEST_P(MatmulS16Test, TiesRoundToEvenAndResultsAreClipped) {
  const std::vector<std::int8_t> weight(1, 1);
  const std::vector<double> half(1, 0.5);
  const std::vector<double> large(1, 1e30);
  MatmulS16Spec spec = {.k = 1, .n = 1, .weight = weight};
  spec.epilogue.multiplier = half;
  EXPECT_EQ(Run(set(), spec, 6, {1, 3, 5, -1, -3, -5}).s16,
            (std::vector<std::int16_t>{0, 2, 2, 0, -2, -2}));
  spec.epilogue.multiplier = large;
  EXPECT_EQ(Run(set(), spec, 3, {1, 0, -1}).s16, (std::vector<std::int16_t>{32767, 0, -32768}));
}

TEST_P(MatmulS16Test, NoRowsIsNothingToDo) {
  const auto weight = Bytes(6);
  const std::vector<double> multiplier(3, 1.0);
  const MatmulS16Spec spec = {
      .k = 2, .n = 3, .weight = weight, .epilogue = {.multiplier = multiplier}};
  EXPECT_TRUE(Run(set(), spec, 0, {}).s16.empty());
}

TEST_P(MatmulS16Test, RefusesWhatIsNotExact) {
  const std::vector<std::int8_t> weight(4, -128);
  const std::vector<double> multiplier(1, 1.0);
  // 2^24 of the 2^53 are the products'.
  std::vector<std::int64_t> bias(1, (std::int64_t{1} << 53) - (1 << 24));
  MatmulS16Spec spec = {.k = 4, .n = 1, .weight = weight};
  spec.epilogue = {.bias = bias, .multiplier = multiplier};
  EXPECT_EQ(set().prepare_matmul_s16(spec).error, "");
  ++bias[0];
  EXPECT_THAT(set().prepare_matmul_s16(spec).error,
              HasSubstr("output channel 0 may reach beyond 2^53: its weights sum to 512"));
  bias[0] = std::numeric_limits<std::int64_t>::min();
  EXPECT_THAT(set().prepare_matmul_s16(spec).error, HasSubstr("its bias is 9223372036854775808"));
}

TEST_P(MatmulS16Test, RefusesLongSums) {
  const std::vector<std::int8_t> weight(kMostTerms + 1, 0);
  const std::vector<double> multiplier(1, 1.0);
  const MatmulS16Spec spec = {
      .k = weight.size(), .n = 1, .weight = weight, .epilogue = {.multiplier = multiplier}};
  EXPECT_EQ(set().prepare_matmul_s16(spec).error, "k is 33554433, wants at most 33554432");
}

TEST_P(MatmulS16Test, RefusesWrongSizesAndEpilogues) {
  const std::vector<std::int8_t> weight(12, 1);
  const std::vector<double> multiplier = {1.0, 2.0, 3.0};
  const std::vector<double> zero = {1.0, 0.0, 1.0};
  const std::vector<std::int64_t> bias(2);
  const auto error = [&](std::size_t k, const EpilogueS16& epilogue) {
    return set().prepare_matmul_s16({.k = k, .n = 3, .weight = weight, .epilogue = epilogue}).error;
  };
  EXPECT_EQ(error(4, {.multiplier = multiplier}), "");
  EXPECT_THAT(error(5, {.multiplier = multiplier}), HasSubstr("holds 12 values, wants 15"));
  EXPECT_THAT(error(4, {.multiplier = zero}), HasSubstr("multiplier[1]"));
  EXPECT_THAT(error(4, {}), HasSubstr("multiplier holds 0 values, wants 3"));
  EXPECT_THAT(error(4, {.bias = bias, .multiplier = multiplier}),
              HasSubstr("bias holds 2 values, wants 3"));
  EXPECT_THAT(error(4, {.multiplier = multiplier, .lo = 5, .hi = 4}), HasSubstr("bounds"));
  EXPECT_THAT(error(4, {.multiplier = multiplier, .hi = 32768}), HasSubstr("bounds"));
  EXPECT_THAT(error(4, {.kind = EpilogueKind::kDynamic, .multiplier = multiplier}),
              HasSubstr("static epilogue"));
}

OCTET_FOR_ALL_KERNEL_SETS(MatmulS16Test);

}  // namespace
}  // namespace octet::kernels
