// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul_s8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "tests/kernels/fixed_point_scales.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

using testing::HasSubstr;

struct Case {
  std::size_t m, k, n;
};

// Tails on every side of the blocks of all sets.
constexpr Case kCases[] = {{1, 1, 1},     {1, 64, 16},  {1, 63, 17},  {2, 65, 33},   {3, 7, 5},
                           {4, 128, 32},  {5, 100, 31}, {6, 2, 64},   {7, 3, 48},    {8, 192, 10},
                           {11, 130, 47}, {16, 64, 96}, {47, 33, 15}, {48, 256, 32}, {49, 77, 18},
                           {97, 65, 40},  {241, 20, 9}, {500, 12, 3}};

struct Result {
  std::vector<std::int32_t> s32;
  std::vector<float> f32;
  std::vector<std::int8_t> s8;
  bool operator==(const Result&) const = default;
};

class MatmulS8Test : public KernelSetTest {
 protected:
  Result Run(const Prepared<MatmulS8>& prepared, EpilogueKind kind, std::size_t m, std::size_t n,
             const std::vector<std::int8_t>& lhs, const std::vector<float>& row_scale,
             std::size_t row_scale_rows = 1) {
    Result result;
    EXPECT_NE(prepared.kernel, nullptr) << prepared.error;
    if (prepared.kernel == nullptr) return result;
    EXPECT_FALSE(prepared.kernel->Provider().empty());
    EXPECT_GT(prepared.kernel->PackedByteSize(), 0U);
    const Scratch scratch(prepared.kernel->ScratchByteSize(m));
    MatmulS8::Arguments arguments = {.m = m, .lhs = lhs, .scratch = scratch.span()};
    switch (kind) {
      case EpilogueKind::kNone:
        result.s32.resize(m * n);
        arguments.out.s32 = result.s32;
        break;
      case EpilogueKind::kStatic:
      case EpilogueKind::kStaticFixed:
        result.s8.resize(m * n);
        arguments.out.s8 = result.s8;
        break;
      case EpilogueKind::kDynamic:
        arguments.row_scale = row_scale;
        arguments.row_scale_rows = row_scale_rows;
        [[fallthrough]];
      case EpilogueKind::kStaticFloat:
        result.f32.resize(m * n);
        arguments.out.f32 = result.f32;
        break;
    }
    prepared.kernel->Run(arguments);
    if (!result.f32.empty()) ExpectResidualIsAddedLast(*prepared.kernel, arguments);
    return result;
  }

  // arguments.out holds the result without a residual.
  void ExpectResidualIsAddedLast(const MatmulS8& kernel, MatmulS8::Arguments arguments) {
    const auto residual = Floats(arguments.out.f32.size(), -9.0F, 9.0F);
    std::vector<float> wanted(arguments.out.f32.begin(), arguments.out.f32.end());
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += residual[i];
    std::vector<float> got(wanted.size());
    arguments.residual = residual;
    arguments.out.f32 = got;
    kernel.Run(arguments);
    EXPECT_TRUE(SameBits(got, wanted));
  }

  // Prepares and runs `spec` on the set and on the reference, which must agree to the bit.
  void ExpectEqualToReference(const MatmulS8Spec& spec, std::size_t m,
                              const std::vector<std::int8_t>& lhs,
                              const std::vector<float>& row_scale = {},
                              std::size_t row_scale_rows = 1) {
    const EpilogueKind kind = spec.epilogue.kind;
    const Result got =
        Run(set().prepare_matmul_s8(spec), kind, m, spec.n, lhs, row_scale, row_scale_rows);
    const Result wanted =
        Run(Reference().prepare_matmul_s8(spec), kind, m, spec.n, lhs, row_scale, row_scale_rows);
    EXPECT_EQ(got.s32, wanted.s32);
    EXPECT_EQ(got.s8, wanted.s8);
    EXPECT_TRUE(SameBits(got.f32, wanted.f32));
  }
};

TEST_P(MatmulS8Test, SumsAreExact) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    for (const int zero_point : {0, 3, -128, 127}) {
      const auto weight = Bytes(c.k * c.n);
      const auto lhs = Bytes(c.m * c.k);
      const auto bias = Integers(c.n, -100000, 100000);
      ExpectEqualToReference({.k = c.k,
                              .n = c.n,
                              .layout = WeightLayout::kInputMajor,
                              .weight = weight,
                              .lhs_zero_point = ZeroPoint{zero_point},
                              .epilogue = {.bias_s32 = bias}},
                             c.m, lhs);
    }
  }
}

TEST_P(MatmulS8Test, ExtremesDoNotSaturate) {
  // Pairs of 127 * 127 and -128 * -128 leave int16: vpmaddubsw would saturate.
  for (const int x : {-128, -127, 127}) {
    for (const int w : {-128, -127, 127}) {
      for (const std::size_t k : {2UL, 64UL, 100UL, 4096UL}) {
        const std::vector<std::int8_t> lhs(3 * k, static_cast<std::int8_t>(x));
        const std::vector<std::int8_t> weight(k * 33, static_cast<std::int8_t>(w));
        const MatmulS8Spec spec = {.k = k, .n = 33, .weight = weight};
        const Result got = Run(set().prepare_matmul_s8(spec), EpilogueKind::kNone, 3, 33, lhs, {});
        const std::vector<std::int32_t> wanted(3 * 33, x * w * static_cast<std::int32_t>(k));
        EXPECT_EQ(got.s32, wanted) << x << " * " << w << " * " << k;
      }
    }
  }
}

TEST_P(MatmulS8Test, BothLayoutsGiveTheSame) {
  const std::size_t k = 70;
  const std::size_t n = 37;
  const auto weight = Bytes(k * n);
  std::vector<std::int8_t> transposed(k * n);
  for (std::size_t p = 0; p < k; ++p) {
    for (std::size_t j = 0; j < n; ++j) transposed[j * k + p] = weight[p * n + j];
  }
  const auto lhs = Bytes(9 * k);
  const Result input_major = Run(set().prepare_matmul_s8({.k = k, .n = n, .weight = weight}),
                                 EpilogueKind::kNone, 9, n, lhs, {});
  const Result output_major =
      Run(set().prepare_matmul_s8(
              {.k = k, .n = n, .layout = WeightLayout::kOutputMajor, .weight = transposed}),
          EpilogueKind::kNone, 9, n, lhs, {});
  EXPECT_EQ(input_major.s32, output_major.s32);
}

TEST_P(MatmulS8Test, DynamicResultsAreEqualToTheBit) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n, -127, 127);
    const auto lhs = Bytes(c.m * c.k, -127, 127);
    const auto weight_scale = Floats(c.n, 10.0F, 400.0F);
    const auto bias = Floats(c.n, -3.0F, 3.0F);
    const auto row_scale = Floats(c.m, 20.0F, 900.0F);
    for (const auto convention : {ScaleConvention::kReciprocal, ScaleConvention::kMultiply}) {
      for (const auto kind : {ActivationKind::kLinear, ActivationKind::kRelu, ActivationKind::kGelu,
                              ActivationKind::kSilu}) {
        MatmulS8Spec spec = {.k = c.k,
                             .n = c.n,
                             .weight = weight,
                             .epilogue = {.kind = EpilogueKind::kDynamic,
                                          .weight_scale = weight_scale,
                                          .convention = convention,
                                          .bias_f32 = bias,
                                          .activation = DefaultActivation(kind)}};
        ExpectEqualToReference(spec, c.m, lhs, row_scale);
        spec.epilogue.bias_f32 = {};
        ExpectEqualToReference(spec, c.m, lhs, row_scale);
        ExpectEqualToReference(spec, c.m, lhs, row_scale, 5);
      }
    }
  }
}

TEST_P(MatmulS8Test, RowsThatHeldAnInfinityGiveNotANumber) {
  const std::vector<std::int8_t> weight(8, 1);
  const std::vector<std::int8_t> lhs(8, 0);
  const std::vector<float> weight_scale(1, 2.0F);
  const Result got = Run(set().prepare_matmul_s8({.k = 8,
                                                  .n = 1,
                                                  .weight = weight,
                                                  .epilogue = {.kind = EpilogueKind::kDynamic,
                                                               .weight_scale = weight_scale}}),
                         EpilogueKind::kDynamic, 1, 1, lhs, {0.0F});
  ASSERT_EQ(got.f32.size(), 1U);
  EXPECT_TRUE(std::isnan(got.f32[0]));
}

TEST_P(MatmulS8Test, StaticResultsAreEqualToTheBit) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n);
    const auto lhs = Bytes(c.m * c.k);
    const auto bias = Integers(c.n, -5000, 5000);
    // Halves, so that there are ties to round, among others.
    auto multiplier = Floats(c.n, 1e-5F, 2e-2F);
    for (std::size_t j = 0; j < c.n; j += 3) multiplier[j] = 0.0078125F;
    const std::vector<FixedPointScale> mixed = FixedPointScales(c.n);
    const std::vector<FixedPointScale> twice_rounded = TwiceRoundedScales(c.n);
    for (const int zero_point : {0, -128, 5}) {
      MatmulS8Spec spec = {.k = c.k,
                           .n = c.n,
                           .weight = weight,
                           .lhs_zero_point = ZeroPoint{-7},
                           .epilogue = {.kind = EpilogueKind::kStatic,
                                        .bias_s32 = bias,
                                        .multiplier = multiplier,
                                        .out_zero_point = ZeroPoint{zero_point},
                                        .lo = zero_point,
                                        .hi = 120}};
      ExpectEqualToReference(spec, c.m, lhs);
      spec.epilogue.lo = -128;
      spec.epilogue.hi = 127;
      ExpectEqualToReference(spec, c.m, lhs);
      spec.epilogue.kind = EpilogueKind::kStaticFixed;
      for (const auto* const scales : {&mixed, &twice_rounded}) {
        spec.epilogue.fixed = *scales;
        ExpectEqualToReference(spec, c.m, lhs);
      }
      spec.epilogue.kind = EpilogueKind::kStaticFloat;
      spec.epilogue.activation = DefaultActivation(ActivationKind::kTanh);
      ExpectEqualToReference(spec, c.m, lhs);
    }
  }
}

// Products far beyond int32 and float32, of both signs, for even and odd numbers of rows.
TEST_P(MatmulS8Test, StaticResultsBeyondAllBoundsAreClipped) {
  const std::vector<float> values = {3e38F, -3e38F, 1e30F, -1e30F, 2e9F, -2e9F, 1e5F, 0.5F, -0.5F};
  for (const std::size_t m : {1UL, 2UL, 7UL, 49UL}) {
    for (const std::size_t n : {7UL, 16UL, 41UL}) {
      const auto weight = Bytes(3 * n);
      const auto lhs = Bytes(m * 3);
      std::vector<float> multiplier(n);
      for (std::size_t j = 0; j < n; ++j) multiplier[j] = values[j % values.size()];
      for (const int zero_point : {-128, 0, 127}) {
        for (const auto& [lo, hi] :
             {std::pair(-128, 127), std::pair(127, 127), std::pair(-128, -128), std::pair(-3, 4)}) {
          SCOPED_TRACE(testing::Message() << m << " x " << n << ", zero point " << zero_point
                                          << ", [" << lo << ", " << hi << "]");
          ExpectEqualToReference({.k = 3,
                                  .n = n,
                                  .weight = weight,
                                  .epilogue = {.kind = EpilogueKind::kStatic,
                                               .multiplier = multiplier,
                                               .out_zero_point = ZeroPoint{zero_point},
                                               .lo = lo,
                                               .hi = hi}},
                                 m, lhs);
        }
      }
    }
  }
}

// The sums as the contract writes them, without a bias.
std::vector<std::int32_t> SumsOf(const MatmulS8Spec& spec, std::size_t m,
                                 const std::vector<std::int8_t>& lhs) {
  std::vector<std::int32_t> sums(m * spec.n);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      for (std::size_t p = 0; p < spec.k; ++p) {
        const std::size_t at =
            spec.layout == WeightLayout::kInputMajor ? p * spec.n + j : j * spec.k + p;
        sums[i * spec.n + j] += (lhs[i * spec.k + p] - spec.lhs_zero_point.value) *
                                (spec.weight[at] - spec.zero_point[j]);
      }
    }
  }
  return sums;
}

TEST_P(MatmulS8Test, ZeroPointsOfWeightsAreTakenAway) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n);
    const auto lhs = Bytes(c.m * c.k);
    for (const auto& zero_point :
         {std::vector<std::int8_t>(c.n, -128), std::vector<std::int8_t>(c.n, 127),
          std::vector<std::int8_t>(c.n, 0), Bytes(c.n)}) {
      for (const int lhs_zero_point : {0, -128, 127}) {
        for (const auto layout : {WeightLayout::kInputMajor, WeightLayout::kOutputMajor}) {
          const MatmulS8Spec spec = {.k = c.k,
                                     .n = c.n,
                                     .layout = layout,
                                     .weight = weight,
                                     .zero_point = zero_point,
                                     .lhs_zero_point = ZeroPoint{lhs_zero_point}};
          const Result got =
              Run(set().prepare_matmul_s8(spec), EpilogueKind::kNone, c.m, c.n, lhs, {});
          EXPECT_EQ(got.s32, SumsOf(spec, c.m, lhs));
        }
      }
    }
  }
}

TEST_P(MatmulS8Test, ExtremesWithZeroPointsDoNotSaturate) {
  // The longest sum of 255 * 255 that int32 holds; one channel has products of -255 or 0.
  const std::size_t k = 33025;
  const std::size_t n = 17;
  for (const std::size_t m : {1UL, 7UL}) {
    for (const int x : {-128, 127}) {
      for (const int w : {-128, 127}) {
        for (const int zero : {-128, 127}) {
          const std::vector<std::int8_t> lhs(m * k, static_cast<std::int8_t>(x));
          const std::vector<std::int8_t> weight(k * n, static_cast<std::int8_t>(w));
          std::vector<std::int8_t> zero_point(n, static_cast<std::int8_t>(zero));
          zero_point[3] = static_cast<std::int8_t>(-1 - zero);
          const Result got = Run(set().prepare_matmul_s8({.k = k,
                                                          .n = n,
                                                          .weight = weight,
                                                          .zero_point = zero_point,
                                                          .lhs_zero_point = ZeroPoint{-1 - x}}),
                                 EpilogueKind::kNone, m, n, lhs, {});
          ASSERT_EQ(got.s32.size(), m * n);
          for (std::size_t i = 0; i < m * n; ++i) {
            const int wanted = (2 * x + 1) * (w - zero_point[i % n]) * static_cast<std::int32_t>(k);
            ASSERT_EQ(got.s32[i], wanted) << i << ": " << x << ", " << w << " - " << zero;
          }
        }
      }
    }
  }
}

TEST_P(MatmulS8Test, ResultsWithZeroPointsAreEqualToTheBit) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Bytes(c.k * c.n);
    const auto zero_point = Bytes(c.n);
    const auto lhs = Bytes(c.m * c.k);
    const auto scale = Floats(c.n, 1e-5F, 2e-2F);
    const auto bias_s32 = Integers(c.n, -5000, 5000);
    const auto bias_f32 = Floats(c.n, -3.0F, 3.0F);
    MatmulS8Spec spec = {.k = c.k,
                         .n = c.n,
                         .weight = weight,
                         .zero_point = zero_point,
                         .lhs_zero_point = ZeroPoint{-7},
                         .epilogue = {.kind = EpilogueKind::kStatic,
                                      .bias_s32 = bias_s32,
                                      .multiplier = scale,
                                      .out_zero_point = ZeroPoint{9}}};
    ExpectEqualToReference(spec, c.m, lhs);
    spec.epilogue.kind = EpilogueKind::kStaticFloat;
    ExpectEqualToReference(spec, c.m, lhs);
    for (const auto convention : {ScaleConvention::kReciprocal, ScaleConvention::kMultiply}) {
      spec.lhs_zero_point = ZeroPoint{0};
      spec.epilogue = {.kind = EpilogueKind::kDynamic,
                       .weight_scale = scale,
                       .convention = convention,
                       .bias_f32 = bias_f32,
                       .activation = DefaultActivation(ActivationKind::kRelu)};
      ExpectEqualToReference(spec, c.m, lhs, Floats(c.m, 20.0F, 900.0F));
    }
  }
}

TEST_P(MatmulS8Test, ZeroPointsThatLeaveBytesCostNothing) {
  const auto weight = Bytes(70 * 33, -100, 100);
  const auto zero_point = Bytes(33, -27, 27);
  const auto lhs = Bytes(9 * 70);
  MatmulS8Spec spec = {.k = 70, .n = 33, .weight = weight, .zero_point = zero_point};
  const auto prepared = set().prepare_matmul_s8(spec);
  EXPECT_EQ(Run(prepared, EpilogueKind::kNone, 9, 33, lhs, {}).s32, SumsOf(spec, 9, lhs));
  spec.zero_point = {};
  const auto without = set().prepare_matmul_s8(spec);
  EXPECT_EQ(prepared.kernel->PackedByteSize(), without.kernel->PackedByteSize());
  EXPECT_EQ(prepared.kernel->ScratchByteSize(9), without.kernel->ScratchByteSize(9));
}

TEST_P(MatmulS8Test, NoRowsIsNothingToDo) {
  const auto weight = Bytes(6);
  const auto prepared = set().prepare_matmul_s8({.k = 2, .n = 3, .weight = weight});
  EXPECT_EQ(Run(prepared, EpilogueKind::kNone, 0, 3, {}, {}), Result());
}

TEST_P(MatmulS8Test, Int4WithOneScaleAChannelIsExact) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    for (const bool is_signed : {true, false}) {
      const auto weight = is_signed ? Bytes(c.k * c.n, -8, 7) : Bytes(c.k * c.n, 0, 15);
      const auto zero_point = is_signed ? Bytes(c.n, -3, 3) : Bytes(c.n, 0, 15);
      const auto lhs = Bytes(c.m * c.k);
      for (const auto layout : {WeightLayout::kInputMajor, WeightLayout::kOutputMajor}) {
        const MatmulS8S4Spec spec = {.k = c.k,
                                     .n = c.n,
                                     .layout = layout,
                                     .weight = weight,
                                     .zero_point = zero_point,
                                     .lhs_zero_point = ZeroPoint{4}};
        const auto got =
            Run(set().prepare_matmul_s8s4(spec), EpilogueKind::kNone, c.m, c.n, lhs, {});
        const auto wanted =
            Run(Reference().prepare_matmul_s8s4(spec), EpilogueKind::kNone, c.m, c.n, lhs, {});
        EXPECT_EQ(got.s32, wanted.s32);
      }
    }
  }
}

TEST_P(MatmulS8Test, Int4ExtremesDoNotSaturate) {
  // What is kept is a nibble and a zero point for it, which may lie far outside of the nibbles.
  struct Weight {
    int value, zero_point;
  };
  for (const Weight w :
       {Weight{-8, 0}, {7, 0}, {-8, 120}, {7, -120}, {0, 0}, {15, -112}, {15, 7}}) {
    for (const int x : {-128, 127}) {
      for (const std::size_t k : {2UL, 32UL, 100UL, 4096UL, 8176UL, 8192UL}) {
        for (const std::size_t m : {1UL, 3UL, 7UL, 19UL}) {
          const std::vector<std::int8_t> lhs(m * k, static_cast<std::int8_t>(x));
          const std::vector<std::int8_t> weight(k * 33, static_cast<std::int8_t>(w.value));
          const std::vector<std::int8_t> zero_point(33, static_cast<std::int8_t>(w.zero_point));
          const Result got = Run(set().prepare_matmul_s8s4(
                                     {.k = k, .n = 33, .weight = weight, .zero_point = zero_point}),
                                 EpilogueKind::kNone, m, 33, lhs, {});
          const std::int32_t wanted = x * (w.value - w.zero_point) * static_cast<std::int32_t>(k);
          EXPECT_EQ(got.s32, std::vector<std::int32_t>(m * 33, wanted))
              << x << " * (" << w.value << " - " << w.zero_point << ") * " << k;
        }
      }
    }
  }
}

TEST_P(MatmulS8Test, Int4WithScalesByGroupIsEqualToTheBit) {
  for (const Case& c : kCases) {
    for (const std::size_t group_size : {1UL, 7UL, 32UL, 64UL, 100UL, 128UL}) {
      SCOPED_TRACE(testing::Message()
                   << c.m << " x " << c.k << " x " << c.n << " by " << group_size);
      const std::size_t groups = (c.k - 1) / group_size + 1;
      const auto weight = Bytes(c.k * c.n, -8, 7);
      const auto zero_point = Bytes(groups * c.n, -8, 7);
      const auto scale = Floats(groups * c.n, 0.001F, 0.1F);
      const auto bias = Floats(c.n, -1.0F, 1.0F);
      const auto lhs = Bytes(c.m * c.k);
      const auto row_scale = Floats(c.m, 20.0F, 900.0F);
      const MatmulS8S4Spec spec = {.k = c.k,
                                   .n = c.n,
                                   .weight = weight,
                                   .group_size = group_size,
                                   .scale = scale,
                                   .zero_point = zero_point,
                                   .epilogue = {.kind = EpilogueKind::kDynamic,
                                                .convention = ScaleConvention::kMultiply,
                                                .bias_f32 = bias}};
      const auto got =
          Run(set().prepare_matmul_s8s4(spec), EpilogueKind::kDynamic, c.m, c.n, lhs, row_scale);
      const auto wanted = Run(Reference().prepare_matmul_s8s4(spec), EpilogueKind::kDynamic, c.m,
                              c.n, lhs, row_scale);
      EXPECT_TRUE(SameBits(got.f32, wanted.f32));
    }
  }
}

// Of few rows, several panels are multiplied at once.
TEST_P(MatmulS8Test, Int4BlocksOfRowsAndPanelsAreEqualToTheBit) {
  constexpr std::size_t kK = 70;
  const auto weight = Bytes(kK * 170, -8, 7);
  const auto by_column = Bytes(3 * 170, -8, 7);
  const std::vector<std::int8_t> same(3 * 170, 5);
  const auto scale = Floats(3 * 170, -0.1F, 0.1F);
  for (const std::size_t m : {1UL, 2UL, 3UL, 4UL, 5UL, 6UL, 7UL, 11UL}) {
    const auto lhs = Bytes(m * kK);
    const auto row_scale = Floats(m, 20.0F, 900.0F);
    for (const std::size_t n : {20UL, 64UL, 90UL, 128UL, 170UL}) {
      for (const std::size_t group_size : {0UL, 32UL}) {
        for (const std::vector<std::int8_t>& zero : {std::vector<std::int8_t>(), same, by_column}) {
          SCOPED_TRACE(testing::Message() << m << " x " << n << " by " << group_size);
          const std::size_t channels = group_size == 0 ? n : 3 * n;
          MatmulS8S4Spec spec = {
              .k = kK, .n = n, .weight = std::span(weight).first(kK * n), .group_size = group_size};
          spec.epilogue.kind = EpilogueKind::kDynamic;
          if (!zero.empty()) spec.zero_point = std::span(zero).first(channels);
          if (group_size == 0) {
            spec.epilogue.weight_scale = std::span(scale).first(n);
          } else {
            spec.scale = std::span(scale).first(channels);
            spec.epilogue.convention = ScaleConvention::kMultiply;
          }
          const auto got =
              Run(set().prepare_matmul_s8s4(spec), spec.epilogue.kind, m, n, lhs, row_scale);
          const auto wanted =
              Run(Reference().prepare_matmul_s8s4(spec), spec.epilogue.kind, m, n, lhs, row_scale);
          EXPECT_TRUE(SameBits(got.f32, wanted.f32));
        }
      }
    }
  }
}

TEST_P(MatmulS8Test, Int4TakesHalfTheBytes) {
  const auto weight = Bytes(512 * 512, -8, 7);
  if (&set() == &Reference()) GTEST_SKIP() << "the reference keeps bytes";
  const auto prepared = set().prepare_matmul_s8s4({.k = 512, .n = 512, .weight = weight});
  ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
  EXPECT_LT(prepared.kernel->PackedByteSize(), 512U * 512U * 6 / 10);
}

TEST_P(MatmulS8Test, RefusesWhatCouldOverflow) {
  // 2^31 / (127 * 128) = 132104.06
  const std::vector<std::int8_t> weight(132106, 127);
  const std::vector<std::int32_t> bias(1, 1 << 30);
  EXPECT_THAT(set().prepare_matmul_s8({.k = 132106, .n = 1, .weight = weight}).error,
              HasSubstr("output channel 0 may overflow int32"));
  const std::span<const std::int8_t> fits(weight.data(), 132104);
  EXPECT_EQ(set().prepare_matmul_s8({.k = 132104, .n = 1, .weight = fits}).error, "");
  EXPECT_THAT(
      set()
          .prepare_matmul_s8({.k = 132104, .n = 1, .weight = fits, .epilogue = {.bias_s32 = bias}})
          .error,
      HasSubstr("overflow"));
}

TEST_P(MatmulS8Test, RefusesLongSums) {
  const std::vector<std::int8_t> weight(kMostTerms + 1, 0);
  EXPECT_EQ(set().prepare_matmul_s8({.k = weight.size(), .n = 1, .weight = weight}).error,
            "k is 33554433, wants at most 33554432");
}

TEST_P(MatmulS8Test, RefusesWhatCouldOverflowWithAZeroPoint) {
  const std::vector<std::int8_t> weight(33026, 127);
  const std::vector<std::int8_t> zero_point(1, -128);
  MatmulS8Spec spec = {.k = 33026,
                       .n = 1,
                       .weight = weight,
                       .zero_point = zero_point,
                       .lhs_zero_point = ZeroPoint{-128}};
  EXPECT_THAT(set().prepare_matmul_s8(spec).error,
              HasSubstr("output channel 0 may overflow int32: its weights sum to 8421630"));
  spec.zero_point = {};
  EXPECT_EQ(set().prepare_matmul_s8(spec).error, "");
}

TEST_P(MatmulS8Test, RefusesWrongSizesAndScales) {
  const std::vector<std::int8_t> weight(12, 1);
  const std::vector<float> scale = {1.0F, 0.0F, 1.0F};
  const std::vector<float> short_scale = {1.0F};
  const auto error = [&](const MatmulS8Spec& spec) { return set().prepare_matmul_s8(spec).error; };
  EXPECT_THAT(error({.k = 5, .n = 3, .weight = weight}), HasSubstr("holds 12 values, wants 15"));
  EXPECT_THAT(error({.k = 0, .n = 3, .weight = weight}), HasSubstr("at least 1"));
  EXPECT_THAT(error({.k = std::size_t{1} << 63, .n = 3, .weight = weight}), HasSubstr("weight"));
  EXPECT_THAT(error({.k = 4,
                     .n = 3,
                     .weight = weight,
                     .epilogue = {.kind = EpilogueKind::kDynamic, .weight_scale = scale}}),
              HasSubstr("weight_scale[1]"));
  EXPECT_THAT(error({.k = 4,
                     .n = 3,
                     .weight = weight,
                     .epilogue = {.kind = EpilogueKind::kStatic, .multiplier = short_scale}}),
              HasSubstr("multiplier holds 1 values, wants 3"));
  EXPECT_THAT(error({.k = 4, .n = 3, .weight = weight, .lhs_zero_point = ZeroPoint{128}}),
              HasSubstr("zero point is 128"));
  EXPECT_THAT(error({.k = 4, .n = 3, .weight = weight, .zero_point = Bytes(4)}),
              HasSubstr("zero_point holds 4 values, wants 3"));
  EXPECT_THAT(set().prepare_matmul_s8s4({.k = 4, .n = 3, .weight = Bytes(12, 16, 17)}).error,
              HasSubstr("4-bit weights reach from"));
}

OCTET_FOR_ALL_KERNEL_SETS(MatmulS8Test);

}  // namespace
}  // namespace octet::kernels
