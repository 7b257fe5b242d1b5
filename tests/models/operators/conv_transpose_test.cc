// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv_transpose.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ConvTransposeTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ConvTransposeTest);

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
TEST_P(ConvTransposeTest, SizesAndCropsAsKeras) {
  EXPECT_EQ(Row(Kernels(), 1, "valid", 3), (std::vector<float>{1, 12, 123, 230, 300}));
  EXPECT_EQ(Row(Kernels(), 1, "same", 3), (std::vector<float>{12, 123, 230}));
  EXPECT_EQ(Row(Kernels(), 2, "valid", 3), (std::vector<float>{1, 10, 102, 20, 203, 30, 300}));
  EXPECT_EQ(Row(Kernels(), 2, "same", 3), (std::vector<float>{1, 10, 102, 20, 203, 30}));
  EXPECT_EQ(Row(Kernels(), 3, "valid", 2), (std::vector<float>{1, 10, 0, 2, 20, 0, 3, 30, 0}));
  EXPECT_EQ(Row(Kernels(), 2, "valid", 3, 1),
            (std::vector<float>{1, 10, 102, 20, 203, 30, 300, 0}));
}

TEST_P(ConvTransposeTest, ChannelsBiasAndActivation) {
  OperatorRun run(MakeConvTranspose2d());
  run.Input(Floats({1, 1, 1, 2}, {1, 2}))
      .Constant(FloatConstant({1, 1, 3, 2}, {1, 0, 0, 1, -1, -1}))
      .Constant(FloatConstant({3}, {0.5F, 0.5F, 0.5F}))
      .With("activation", "relu");
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{1.5F, 2.5F, 0}));
}

// Each element of a volume is spread over its own part of the result, since the strides are the
// filter's sizes.
TEST_P(ConvTransposeTest, VolumesSpreadAlongThreeAxes) {
  std::vector<float> filter(2 * 1 * 3);
  for (std::size_t i = 0; i < filter.size(); ++i) filter[i] = static_cast<float>(i + 1);
  OperatorRun run(MakeConvTranspose3d());
  run.Input(Floats({1, 2, 2, 1, 1}, {1, 10, 100, 1000}))
      .Constant(FloatConstant({2, 1, 3, 1, 1}, filter))
      .Constant(FloatConstant({1}, {0.5F}))
      .With("strides", Ints{2, 1, 3});
  EXPECT_EQ(run.FirstDims(Kernels()), (Dims{1, 4, 2, 3, 1}));
  std::vector<float> wanted;
  for (const float plane : {1.0F, 100.0F}) {
    for (const float first : {1.0F, 4.0F}) {
      for (const float row : {1.0F, 10.0F}) {
        for (const float tap : {0.0F, 1.0F, 2.0F}) {
          wanted.push_back(plane * row * (first + tap) + 0.5F);
        }
      }
    }
  }
  EXPECT_EQ(run.First(Kernels()), wanted);
}

TEST_P(ConvTransposeTest, AVolumeOfOnePlaneIsAnImage) {
  const auto x = Noise(2 * 4 * 5 * 3, 1);
  const auto filter = Noise(3 * 2 * 4 * 3, 2);
  const auto spread = [&](bool is_volume, const char* padding) {
    OperatorRun run(is_volume ? MakeConvTranspose3d() : MakeConvTranspose2d());
    run.Input(Floats(is_volume ? Dims{2, 1, 4, 5, 3} : Dims{2, 4, 5, 3}, x))
        .Constant(FloatConstant(is_volume ? Dims{1, 3, 2, 4, 3} : Dims{3, 2, 4, 3}, filter))
        .With("strides", is_volume ? Ints{1, 2, 1} : Ints{2, 1})
        .With("dilations", is_volume ? Ints{1, 1, 2} : Ints{1, 2})
        .With("padding", padding);
    return run.First(Kernels());
  };
  EXPECT_EQ(spread(true, "valid"), spread(false, "valid"));
  EXPECT_EQ(spread(true, "same"), spread(false, "same"));
}

TEST_P(ConvTransposeTest, DepthOverlapsCropsAndGrowsAsWidthDoes) {
  const auto spread = [](bool is_depth, const char* padding) {
    OperatorRun run(MakeConvTranspose3d());
    run.Input(Floats(is_depth ? Dims{1, 3, 1, 1, 1} : Dims{1, 1, 1, 3, 1}, {1, 2, 3}))
        .Constant(FloatConstant(is_depth ? Dims{3, 1, 1, 1, 1} : Dims{1, 1, 3, 1, 1}, {1, 10, 100}))
        .With("strides", is_depth ? Ints{2, 1, 1} : Ints{1, 1, 2})
        .With("output_padding", is_depth ? Ints{1, 0, 0} : Ints{0, 0, 1})
        .With("padding", padding);
    return run.First(Kernels());
  };
  EXPECT_EQ(spread(true, "valid"), (std::vector<float>{1, 10, 102, 20, 203, 30, 300, 0}));
  EXPECT_EQ(spread(false, "valid"), spread(true, "valid"));
  EXPECT_EQ(spread(false, "same"), spread(true, "same"));
}

TEST(ConvTransposeRuleTest, RefusesWhatDoesNotFit) {
  OperatorRun run(MakeConvTranspose2d());
  run.Input(Floats({1, 1, 1, 2}, {1, 2})).Constant(FloatConstant({1, 1, 2, 1}, {1, 0}));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
  OperatorRun image(MakeConvTranspose3d());
  image.Input(Floats({1, 1, 1, 2}, {1, 2})).Constant(FloatConstant({1, 1, 1, 1, 2}, {1, 0}));
  EXPECT_EQ(image.InferStatus().code(), kInvalid);
  OperatorRun strides(MakeConvTranspose3d());
  strides.Input(Floats({1, 1, 1, 1, 2}, {1, 2}))
      .Constant(FloatConstant({1, 1, 1, 1, 2}, {1, 0}))
      .With("strides", Ints{1, 1});
  EXPECT_EQ(strides.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
