// SPDX-License-Identifier: Apache-2.0
#include "kernels/normalization.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

class NormalizationTest : public KernelSetTest {};

TEST_P(NormalizationTest, IsCloseToTheReference) {
  for (const std::size_t size : {1UL, 3UL, 10UL, 32UL, 33UL, 769UL}) {
    for (const NormalizationKind kind : {NormalizationKind::kLayer, NormalizationKind::kRms}) {
      for (const bool has_parameters : {true, false}) {
        auto in = Floats(4 * size, 95.0F, 105.0F);
        const auto gamma = has_parameters ? Floats(size, 0.5F, 2.0F) : std::vector<float>();
        const auto beta = has_parameters ? Floats(size, -1.0F, 1.0F) : std::vector<float>();
        const NormalizationShape shape = {.num_rows = 4, .row_size = size};
        std::vector<float> wanted(in.size());
        Reference().normalize_f32(kind, shape, 1e-3F, in, gamma, beta, wanted);
        std::vector<float> got(in.size());
        set().normalize_f32(kind, shape, 1e-3F, in, gamma, beta, got);
        // The mean of values near 100 is off by a rounding or two of 100, that is 1e-5.
        EXPECT_LT(RelativeDifference(got, wanted), size == 1 ? 1.0F : 3e-5F) << size;
        set().normalize_f32(kind, shape, 1e-3F, in, gamma, beta, in);
        EXPECT_TRUE(SameBits(in, got)) << "in place";
      }
    }
  }
}

OCTET_FOR_ALL_KERNEL_SETS(NormalizationTest);

}  // namespace
}  // namespace octet::kernels
