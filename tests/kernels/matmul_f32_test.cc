// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul_f32.h"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

struct Case {
  std::size_t m, k, n;
};

constexpr Case kCases[] = {{1, 1, 1},    {1, 64, 128},  {1, 63, 129}, {2, 65, 33},
                           {3, 7, 5},    {5, 100, 31},  {6, 2, 64},   {7, 300, 48},
                           {12, 64, 70}, {48, 130, 32}, {49, 77, 18}, {97, 65, 40}};
constexpr float kTolerance = 2e-6F;

class MatmulF32Test : public KernelSetTest {
 protected:
  std::vector<float> Run(const Prepared<MatmulF32>& prepared, std::size_t m, std::size_t n,
                         std::span<const float> lhs) {
    std::vector<float> out(m * n);
    EXPECT_NE(prepared.kernel, nullptr) << prepared.error;
    if (prepared.kernel == nullptr) return out;
    EXPECT_FALSE(prepared.kernel->Provider().empty());
    const Scratch scratch(prepared.kernel->ScratchByteSize(m));
    prepared.kernel->Run({.m = m, .lhs = lhs, .out = out, .scratch = scratch.span()});
    const auto residual = Floats(out.size(), -9.0F, 9.0F);
    std::vector<float> with_residual(out.size());
    prepared.kernel->Run({.m = m,
                          .lhs = lhs,
                          .residual = residual,
                          .out = with_residual,
                          .scratch = scratch.span()});
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(with_residual[i], out[i] + residual[i]) << "with a residual";
    }
    return out;
  }
};

TEST_P(MatmulF32Test, IsCloseToTheReference) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n);
    const auto weight = Floats(c.k * c.n, -1.0F, 1.0F);
    const auto bias = Floats(c.n, -1.0F, 1.0F);
    const auto lhs = Floats(c.m * c.k, -1.0F, 1.0F);
    for (const auto layout : {WeightLayout::kInputMajor, WeightLayout::kOutputMajor}) {
      for (const auto kind : {ActivationKind::kLinear, ActivationKind::kGelu}) {
        const MatmulF32Spec spec = {.k = c.k,
                                    .n = c.n,
                                    .layout = layout,
                                    .weight = weight,
                                    .bias = bias,
                                    .activation = DefaultActivation(kind)};
        const auto got = Run(set().prepare_matmul_f32(spec), c.m, c.n, lhs);
        const auto wanted = Run(Reference().prepare_matmul_f32(spec), c.m, c.n, lhs);
        EXPECT_LT(RelativeDifference(got, wanted), kTolerance);
      }
    }
  }
}

TEST_P(MatmulF32Test, ARowsResultDoesNotDependOnItsBatch) {
  const std::size_t k = 333;
  const std::size_t n = 100;
  const std::size_t m = 61;
  const auto weight = Floats(k * n, -1.0F, 1.0F);
  const auto lhs = Floats(m * k, -1.0F, 1.0F);
  const auto prepared = set().prepare_matmul_f32({.k = k, .n = n, .weight = weight});
  const auto all = Run(prepared, m, n, lhs);
  for (std::size_t i = 0; i < m; ++i) {
    const auto one = Run(prepared, 1, n, std::span(lhs).subspan(i * k, k));
    ASSERT_TRUE(SameBits(one, std::span(all).subspan(i * n, n))) << "row " << i;
  }
}

TEST_P(MatmulF32Test, WeightOnlyIsCloseToTheReference) {
  for (const Case& c : kCases) {
    for (const std::int32_t bits : {4, 8}) {
      for (const std::size_t group_size : {0UL, 1UL, 5UL, 32UL, 128UL}) {
        for (const auto convention : {ScaleConvention::kReciprocal, ScaleConvention::kMultiply}) {
          SCOPED_TRACE(testing::Message() << c.m << " x " << c.k << " x " << c.n << ", " << bits
                                          << " bits by " << group_size);
          const std::size_t groups = group_size == 0 ? 1 : (c.k - 1) / group_size + 1;
          const auto weight = bits == 4 ? Bytes(c.k * c.n, -8, 7) : Bytes(c.k * c.n);
          const auto zero_point = Bytes(groups * c.n, -8, 7);
          const auto scale = Floats(groups * c.n, 0.5F, 2.0F);
          const auto bias = Floats(c.n, -1.0F, 1.0F);
          const auto lhs = Floats(c.m * c.k, -1.0F, 1.0F);
          const MatmulWeightOnlySpec spec = {.k = c.k,
                                             .n = c.n,
                                             .bits = bits,
                                             .weight = weight,
                                             .group_size = group_size,
                                             .scale = scale,
                                             .zero_point = zero_point,
                                             .convention = convention,
                                             .bias = bias};
          const auto got = Run(set().prepare_matmul_weight_only(spec), c.m, c.n, lhs);
          const auto wanted = Run(Reference().prepare_matmul_weight_only(spec), c.m, c.n, lhs);
          EXPECT_LT(RelativeDifference(got, wanted), kTolerance);
        }
      }
    }
  }
}

TEST_P(MatmulF32Test, ARowsResultDoesNotDependOnItsBatchWithIntegerWeights) {
  const std::size_t k = 150;
  const std::size_t n = 75;
  const std::size_t m = 9;
  const auto lhs = Floats(m * k, -1.0F, 1.0F);
  for (const std::int32_t bits : {4, 8}) {
    const auto weight = bits == 4 ? Bytes(k * n, -8, 7) : Bytes(k * n);
    for (const std::size_t group_size : {0UL, 7UL, 64UL}) {
      const std::size_t groups = group_size == 0 ? 1 : (k - 1) / group_size + 1;
      const auto zero_point = Bytes(groups * n, -8, 7);
      const auto scale = Floats(groups * n, 0.5F, 2.0F);
      for (const bool has_zero_points : {false, true}) {
        MatmulWeightOnlySpec spec = {.k = k,
                                     .n = n,
                                     .bits = bits,
                                     .weight = weight,
                                     .group_size = group_size,
                                     .scale = scale,
                                     .convention = ScaleConvention::kMultiply};
        if (has_zero_points) spec.zero_point = zero_point;
        const auto prepared = set().prepare_matmul_weight_only(spec);
        const auto all = Run(prepared, m, n, lhs);
        for (std::size_t rows = 1; rows < 6; ++rows) {
          SCOPED_TRACE(testing::Message()
                       << rows << " rows, " << bits << " bits by " << group_size);
          const std::vector<float> some(lhs.data() + k, lhs.data() + (1 + rows) * k);
          const std::vector<float> wanted(all.data() + n, all.data() + (1 + rows) * n);
          EXPECT_TRUE(SameBits(Run(prepared, rows, n, some), wanted));
        }
      }
    }
  }
}

TEST_P(MatmulF32Test, UnsignedNibblesAreTakenToo) {
  const auto weight = Bytes(40 * 20, 0, 15);
  const auto zero_point = Bytes(2 * 20, 0, 15);
  const auto scale = Floats(2 * 20, 0.5F, 2.0F);
  const auto lhs = Floats(3 * 40, -1.0F, 1.0F);
  const MatmulWeightOnlySpec spec = {.k = 40,
                                     .n = 20,
                                     .layout = WeightLayout::kOutputMajor,
                                     .bits = 4,
                                     .weight = weight,
                                     .group_size = 20,
                                     .scale = scale,
                                     .zero_point = zero_point,
                                     .convention = ScaleConvention::kMultiply};
  const auto got = Run(set().prepare_matmul_weight_only(spec), 3, 20, lhs);
  const auto wanted = Run(Reference().prepare_matmul_weight_only(spec), 3, 20, lhs);
  EXPECT_LT(RelativeDifference(got, wanted), kTolerance);
}

TEST_P(MatmulF32Test, RefusesWrongSizes) {
  const auto weight = Floats(12, -1.0F, 1.0F);
  EXPECT_NE(set().prepare_matmul_f32({.k = 5, .n = 3, .weight = weight}).error, "");
  EXPECT_NE(set().prepare_matmul_f32({.k = 4, .n = 3, .weight = weight, .bias = weight}).error, "");
  const auto bytes = Bytes(12);
  EXPECT_NE(set().prepare_matmul_weight_only({.k = 4, .n = 3, .weight = bytes}).error, "");
}

class BatchedMatmulF32Test : public KernelSetTest {
 protected:
  void ExpectCloseToReference(const BatchedMatmulF32Shape& shape, const std::vector<float>& lhs,
                              const std::vector<float>& rhs) {
    std::vector<float> got(shape.batch * shape.m * shape.n);
    std::vector<float> wanted(got.size());
    const Scratch scratch(set().batched_matmul_f32_scratch_byte_size(shape));
    set().batched_matmul_f32(shape, lhs, rhs, got, scratch.span());
    Reference().batched_matmul_f32(shape, lhs, rhs, wanted, {});
    EXPECT_LT(RelativeDifference(got, wanted), kTolerance);
  }
};

TEST_P(BatchedMatmulF32Test, AnyTransposeIsCloseToTheReference) {
  for (const Case& c : kCases) {
    const auto lhs = Floats(3 * c.m * c.k, -1.0F, 1.0F);
    const auto rhs = Floats(3 * c.k * c.n, -1.0F, 1.0F);
    for (const bool is_lhs_transposed : {false, true}) {
      for (const bool is_rhs_transposed : {false, true}) {
        for (const bool is_rhs_shared : {false, true}) {
          const BatchedMatmulF32Shape shape = {.batch = 3,
                                               .m = c.m,
                                               .n = c.n,
                                               .k = c.k,
                                               .lhs_batch_stride = c.m * c.k,
                                               .lhs_row_stride = is_lhs_transposed ? 1 : c.k,
                                               .lhs_column_stride = is_lhs_transposed ? c.m : 1,
                                               .rhs_batch_stride = is_rhs_shared ? 0 : c.k * c.n,
                                               .rhs_row_stride = is_rhs_transposed ? 1 : c.n,
                                               .rhs_column_stride = is_rhs_transposed ? c.k : 1,
                                               .out_batch_stride = c.m * c.n,
                                               .out_row_stride = c.n};
          ExpectCloseToReference(shape, lhs, rhs);
        }
      }
    }
  }
}

OCTET_FOR_ALL_KERNEL_SETS(MatmulF32Test);
OCTET_FOR_ALL_KERNEL_SETS(BatchedMatmulF32Test);

}  // namespace
}  // namespace octet::kernels
