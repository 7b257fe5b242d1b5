// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv_transpose2d.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ConvTranspose2dTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ConvTranspose2dTest);

using Ints = std::vector<std::int64_t>;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A row of pixels [1, 1, in, 1] and a kernel [1, k, 1, 1] of 1, 10, 100...
std::vector<float> Row(const kernels::KernelSet& kernels, std::int64_t stride,
                       const std::string& padding, std::int64_t kernel, std::int64_t extra = -1) {
  std::vector<float> filter;
  for (float value = 1; static_cast<std::int64_t>(filter.size()) < kernel; value *= 10) {
    filter.push_back(value);
  }
  OperatorRun run(MakeConvTranspose2d());
  run.Input(Floats({1, 1, 3, 1}, {1, 2, 3}))
      .Constant(FloatConstant({1, kernel, 1, 1}, filter))
      .With("strides", Ints{1, stride})
      .With("padding", padding);
  if (extra >= 0) run.With("output_padding", Ints{0, extra});
  return run.First(kernels);
}

// The numbers are Keras's, by its rules for size and crop.
TEST_P(ConvTranspose2dTest, SizesAndCropsAsKeras) {
  EXPECT_EQ(Row(Kernels(), 1, "valid", 3), (std::vector<float>{1, 12, 123, 230, 300}));
  EXPECT_EQ(Row(Kernels(), 1, "same", 3), (std::vector<float>{12, 123, 230}));
  EXPECT_EQ(Row(Kernels(), 2, "valid", 3), (std::vector<float>{1, 10, 102, 20, 203, 30, 300}));
  EXPECT_EQ(Row(Kernels(), 2, "same", 3), (std::vector<float>{1, 10, 102, 20, 203, 30}));
  EXPECT_EQ(Row(Kernels(), 3, "valid", 2), (std::vector<float>{1, 10, 0, 2, 20, 0, 3, 30, 0}));
  EXPECT_EQ(Row(Kernels(), 2, "valid", 3, 1),
            (std::vector<float>{1, 10, 102, 20, 203, 30, 300, 0}));
}

TEST_P(ConvTranspose2dTest, ChannelsBiasAndActivation) {
  OperatorRun run(MakeConvTranspose2d());
  run.Input(Floats({1, 1, 1, 2}, {1, 2}))
      .Constant(FloatConstant({1, 1, 3, 2}, {1, 0, 0, 1, -1, -1}))
      .Constant(FloatConstant({3}, {0.5F, 0.5F, 0.5F}))
      .With("activation", "relu");
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1.5F, 2.5F, 0}));
}

TEST(ConvTranspose2dRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun run(MakeConvTranspose2d());
  run.Input(Floats({1, 1, 1, 2}, {1, 2})).Constant(FloatConstant({1, 1, 2, 1}, {1, 0}));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
