// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

class SoftmaxTest : public KernelSetTest {};

TEST_P(SoftmaxTest, IsCloseToTheReference) {
  for (const std::size_t size : {1UL, 3UL, 10UL, 32UL, 33UL, 1000UL}) {
    for (const SoftmaxKind kind : {SoftmaxKind::kSoftmax, SoftmaxKind::kLogSoftmax}) {
      auto in = Floats(4 * size, -20.0F, 20.0F);
      in[0] = 1e30F;
      const SoftmaxShape shape = {.num_rows = 4, .row_size = size};
      std::vector<float> wanted(in.size());
      Reference().softmax_f32(kind, shape, in, wanted);
      std::vector<float> got(in.size());
      set().softmax_f32(kind, shape, in, got);
      EXPECT_LT(RelativeDifference(got, wanted), 1e-6F);
      set().softmax_f32(kind, shape, in, in);
      EXPECT_TRUE(SameBits(in, got)) << "in place";
    }
  }
}

TEST_P(SoftmaxTest, ExcludedElementsGetNothingAndAllExcludedIsUniform) {
  const float excluded = -std::numeric_limits<float>::infinity();
  std::vector<float> out(4);
  set().softmax_f32(SoftmaxKind::kSoftmax, {.num_rows = 2, .row_size = 2},
                    std::vector<float>{excluded, 3.0F, excluded, excluded}, out);
  EXPECT_EQ(out, (std::vector<float>{0.0F, 1.0F, 0.5F, 0.5F}));
}

OCTET_FOR_ALL_KERNEL_SETS(SoftmaxTest);

}  // namespace
}  // namespace octet::kernels
