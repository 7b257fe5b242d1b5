// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "kernels/conv2d.h"
#include "tests/kernels/convolution_geometries.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

using testing::HasSubstr;

class Conv2dS16Test : public KernelSetTest {
 protected:
  // `geometry` is the run's; null: the spec's.
  void ExpectEqualToReference(const Conv2dS16Spec& spec, std::size_t num_images,
                              const Conv2dGeometry* geometry = nullptr) {
    const Conv2dGeometry& g = RunGeometry(geometry, spec.geometry);
    const auto in = Shorts(num_images * g.InSize());
    const std::size_t size = num_images * g.OutSize();
    std::vector<std::int16_t> s16[2];
    std::vector<float> f32[2];
    int side = 0;
    for (const KernelSet* side_set : {&set(), &Reference()}) {
      const auto prepared = side_set->prepare_conv2d_s16(spec);
      ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
      EXPECT_FALSE(prepared.kernel->Provider().empty());
      EXPECT_GT(prepared.kernel->PackedByteSize(), 0U);
      const Scratch scratch(prepared.kernel->ScratchByteSize(num_images));
      if (spec.epilogue.kind == EpilogueKind::kStatic) {
        s16[side].resize(size);
      } else {
        f32[side].resize(size);
      }
      prepared.kernel->Run({.num_images = num_images,
                            .geometry = geometry,
                            .in = in,
                            .out = {.s16 = s16[side], .f32 = f32[side]},
                            .scratch = scratch.span()});
      ++side;
    }
    EXPECT_EQ(s16[0], s16[1]);
    EXPECT_TRUE(SameBits(f32[0], f32[1]));
  }
};

// Convolutions whose sums leave int32.
std::vector<Conv2dGeometry> LargeGeometries() {
  return {// in one line, and in several
          {.in_height = 2, .in_width = 3, .in_channels = 1100, .out_channels = 3},
          {.in_height = 3,
           .in_width = 5,
           .in_channels = 333,
           .kernel_height = 2,
           .kernel_width = 3,
           .out_channels = 4,
           .pad_left = 1},
          // dilated: each tap by itself
          {.in_height = 3,
           .in_width = 5,
           .in_channels = 601,
           .kernel_width = 2,
           .out_channels = 2,
           .dilation_width = 2},
          // depthwise
          {.in_height = 30,
           .in_width = 27,
           .in_channels = 9,
           .kernel_height = 25,
           .kernel_width = 23,
           .out_channels = 9,
           .pad_top = 3,
           .groups = 9}};
}

TEST_P(Conv2dS16Test, ResultsAreEqualToTheBit) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Bytes(FilterSize(g));
    std::vector<std::int64_t> bias(g.out_channels);
    for (std::int64_t& b : bias) b = static_cast<std::int64_t>(Size(0, 4'000'000)) - 2'000'000;
    const auto multiplier = Doubles(g.out_channels, 1e-5, 1e-2);
    Conv2dS16Spec spec = {.geometry = g, .filter = filter};
    spec.epilogue.multiplier = multiplier;
    ExpectEqualToReference(spec, 1);
    spec.epilogue.bias = bias;
    spec.epilogue.lo = 0;
    ExpectEqualToReference(spec, 3);
    spec.epilogue.kind = EpilogueKind::kStaticFloat;
    spec.epilogue.activation = DefaultActivation(ActivationKind::kRelu6);
    ExpectEqualToReference(spec, 2);
  }
}

TEST_P(Conv2dS16Test, LongSumsAreExact) {
  for (const Conv2dGeometry& g : LargeGeometries()) {
    SCOPED_TRACE(testing::Message() << g.in_channels << " channels");
    const std::size_t size = g.kernel_height * g.kernel_width * (g.in_channels / g.groups);
    const std::vector<std::int8_t> filter(FilterSize(g), -128);
    const std::int64_t sum = std::int64_t{32768} * 128 * static_cast<std::int64_t>(size);
    // What is left of whole windows is 5.
    const std::vector<std::int64_t> bias(g.out_channels, 5 - sum);
    const std::vector<double> multiplier(g.out_channels, 1.0);
    Conv2dS16Spec spec = {.geometry = g, .filter = filter};
    spec.epilogue = {.bias = bias, .multiplier = multiplier};
    const auto prepared = set().prepare_conv2d_s16(spec);
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    const Scratch scratch(prepared.kernel->ScratchByteSize(1));
    const std::vector<std::int16_t> in(g.InSize(), -32768);
    std::vector<std::int16_t> out(g.OutSize());
    prepared.kernel->Run(
        {.num_images = 1, .in = in, .out = {.s16 = out}, .scratch = scratch.span()});
    EXPECT_EQ(out.back(), 5);
    const auto random_filter = Bytes(FilterSize(g));
    const auto small = Doubles(g.out_channels, 1e-6, 1e-4);
    spec.filter = random_filter;
    spec.epilogue = {.multiplier = small};
    ExpectEqualToReference(spec, 2);
  }
}

TEST_P(Conv2dS16Test, OpenIsThatOfTheRunsSize) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Bytes(FilterSize(g));
    const auto multiplier = Doubles(g.out_channels, 1e-5, 1e-2);
    const Conv2dS16Spec spec = {
        .geometry = g, .filter = filter, .epilogue = {.multiplier = multiplier}, .is_open = true};
    for (const std::size_t more : {0UL, 1UL, 13UL, 300UL}) {
      Conv2dGeometry run = g;
      run.in_height += more % 7;
      run.in_width += more;
      run.pad_left += more % 2;
      ExpectEqualToReference(spec, 2, &run);
    }
  }
}

// Taps with much padding between them, up to more than fits into 64 bits of offsets.
TEST_P(Conv2dS16Test, TakesOrRefusesLargePads) {
  const std::vector<double> multiplier(2, 0.001);
  for (const unsigned bits : {9U, 16U, 30U, 31U}) {
    const std::size_t gap = (std::size_t{1} << bits) - 2;
    const Conv2dGeometry g = {.in_height = 1,
                              .in_width = 3,
                              .in_channels = 2,
                              .kernel_height = 2,
                              .kernel_width = 2,
                              .out_channels = 2,
                              .dilation_height = gap,
                              .dilation_width = gap,
                              .pad_top = gap,
                              .pad_right = gap};
    const auto filter = Bytes(FilterSize(g));
    const Conv2dS16Spec spec = {
        .geometry = g, .filter = filter, .epilogue = {.multiplier = multiplier}};
    const auto prepared = set().prepare_conv2d_s16(spec);
    if (prepared.kernel != nullptr) {
      ExpectEqualToReference(spec, 1);
    } else {
      EXPECT_THAT(prepared.error, HasSubstr("see 4 GiB or more of the padded image"));
      EXPECT_GE(bits, 16U);
    }
  }
}

TEST_P(Conv2dS16Test, RefusesLongSums) {
  const std::vector<std::int8_t> filter(kMostTerms + 1, 0);
  const std::vector<double> multiplier(1, 1.0);
  const Conv2dS16Spec spec = {.geometry = {.in_channels = filter.size()},
                              .filter = filter,
                              .epilogue = {.multiplier = multiplier}};
  EXPECT_EQ(set().prepare_conv2d_s16(spec).error,
            "the number of values that an output sees is 33554433, wants at most 33554432");
}

TEST_P(Conv2dS16Test, RefusesWrongSizesAndEpilogues) {
  const std::vector<std::int8_t> filter(6, 1);
  const std::vector<double> multiplier(3, 1.0);
  Conv2dS16Spec spec = {.geometry = {.in_channels = 2, .out_channels = 3}, .filter = filter};
  EXPECT_THAT(set().prepare_conv2d_s16(spec).error,
              HasSubstr("multiplier holds 0 values, wants 3"));
  spec.epilogue.multiplier = multiplier;
  EXPECT_EQ(set().prepare_conv2d_s16(spec).error, "");
  const std::vector<std::int64_t> bias(3, std::int64_t{1} << 53);
  spec.epilogue.bias = bias;
  EXPECT_THAT(set().prepare_conv2d_s16(spec).error, HasSubstr("output channel 0 may reach beyond"));
  spec.epilogue.bias = {};
  spec.geometry.in_channels = 4;
  EXPECT_THAT(set().prepare_conv2d_s16(spec).error, HasSubstr("filter holds 6 values, wants 12"));
}

OCTET_FOR_ALL_KERNEL_SETS(Conv2dS16Test);

}  // namespace
}  // namespace octet::kernels
