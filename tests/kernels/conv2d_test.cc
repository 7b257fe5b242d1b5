// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.h"

#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/convolution_geometries.h"
#include "tests/kernels/fixed_point_scales.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

using testing::HasSubstr;

class Conv2dTest : public KernelSetTest {
 protected:
  void ExpectEqualToReference(const Conv2dS8Spec& spec, std::size_t num_images) {
    const auto in = Bytes(num_images * spec.geometry.InSize());
    const auto row_scale = Floats(num_images, 20.0F, 900.0F);
    const std::size_t size = num_images * spec.geometry.OutSize();
    std::vector<std::int32_t> s32[2];
    std::vector<std::int8_t> s8[2];
    std::vector<float> f32[2];
    int side = 0;
    for (const KernelSet* side_set : {&set(), &Reference()}) {
      const auto prepared = side_set->prepare_conv2d_s8(spec);
      ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
      const Scratch scratch(prepared.kernel->ScratchByteSize(num_images));
      Conv2dS8::Arguments arguments = {
          .num_images = num_images, .in = in, .scratch = scratch.span()};
      switch (spec.epilogue.kind) {
        case EpilogueKind::kNone:
          s32[side].resize(size);
          break;
        case EpilogueKind::kStatic:
        case EpilogueKind::kStaticFixed:
          s8[side].resize(size);
          break;
        case EpilogueKind::kDynamic:
          arguments.row_scale = row_scale;
          [[fallthrough]];
        case EpilogueKind::kStaticFloat:
          f32[side].resize(size);
          break;
      }
      arguments.out = {.s32 = s32[side], .f32 = f32[side], .s8 = s8[side]};
      prepared.kernel->Run(arguments);
      ++side;
    }
    EXPECT_EQ(s32[0], s32[1]);
    EXPECT_EQ(s8[0], s8[1]);
    EXPECT_TRUE(SameBits(f32[0], f32[1]));
  }
};

TEST_P(Conv2dTest, Int8IsEqualToTheBit) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Bytes(FilterSize(g));
    const auto bias_s32 = Integers(g.out_channels, -9000, 9000);
    const auto bias_f32 = Floats(g.out_channels, -2.0F, 2.0F);
    const auto scale = Floats(g.out_channels, 0.0001F, 0.01F);
    for (const int zero_point : {0, -128, 17}) {
      Conv2dS8Spec spec = {.geometry = g, .filter = filter, .in_zero_point = ZeroPoint{zero_point}};
      spec.epilogue = {.bias_s32 = bias_s32};
      ExpectEqualToReference(spec, 2);
      spec.epilogue = {.kind = EpilogueKind::kStatic,
                       .bias_s32 = bias_s32,
                       .multiplier = scale,
                       .out_zero_point = ZeroPoint{-20},
                       .lo = -20};
      ExpectEqualToReference(spec, 3);
      // Not all fit the strips of depthwise convolutions, then they do.
      for (const auto& fixed :
           {FixedPointScales(g.out_channels), TwiceRoundedScales(g.out_channels)}) {
        spec.epilogue = {.kind = EpilogueKind::kStaticFixed,
                         .bias_s32 = bias_s32,
                         .fixed = fixed,
                         .out_zero_point = ZeroPoint{-20},
                         .lo = -20};
        ExpectEqualToReference(spec, 3);
      }
      spec.epilogue = {.kind = EpilogueKind::kStaticFloat,
                       .bias_s32 = bias_s32,
                       .multiplier = scale,
                       .activation = DefaultActivation(ActivationKind::kRelu6)};
      ExpectEqualToReference(spec, 1);
    }
    Conv2dS8Spec dynamic = {.geometry = g, .filter = filter};
    dynamic.epilogue = {.kind = EpilogueKind::kDynamic,
                        .weight_scale = scale,
                        .bias_f32 = bias_f32,
                        .activation = DefaultActivation(ActivationKind::kRelu)};
    ExpectEqualToReference(dynamic, 3);
    dynamic.epilogue.convention = ScaleConvention::kMultiply;
    dynamic.epilogue.bias_f32 = {};
    ExpectEqualToReference(dynamic, 1);
  }
}

// Results beyond int32 are clipped, too.
TEST_P(Conv2dTest, Int8OfLargeMultipliersIsEqualToTheBit) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto filter = Bytes(FilterSize(g));
    for (const float largest : {1e5F, 1e9F, 3e38F}) {
      auto scale = Floats(g.out_channels, -0.01F, 0.01F);
      scale.front() = largest;
      scale.back() = -largest;
      ExpectEqualToReference({.geometry = g,
                              .filter = filter,
                              .epilogue = {.kind = EpilogueKind::kStatic,
                                           .multiplier = scale,
                                           .out_zero_point = ZeroPoint{100},
                                           .lo = -50,
                                           .hi = 120}},
                             1);
    }
  }
}

TEST_P(Conv2dTest, Int8WithZeroPointsOfTheFilterIsEqualToTheBit) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Bytes(FilterSize(g));
    const auto bias = Integers(g.out_channels, -9000, 9000);
    const auto scale = Floats(g.out_channels, 0.0001F, 0.01F);
    const std::vector<FixedPointScale> fixed = FixedPointScales(g.out_channels);
    for (const auto& zero_point :
         {std::vector<std::int8_t>(g.out_channels, -128),
          std::vector<std::int8_t>(g.out_channels, 127), Bytes(g.out_channels)}) {
      for (const int in_zero_point : {0, -128, 127}) {
        Conv2dS8Spec spec = {.geometry = g,
                             .filter = filter,
                             .filter_zero_point = zero_point,
                             .in_zero_point = ZeroPoint{in_zero_point},
                             .epilogue = {.bias_s32 = bias}};
        ExpectEqualToReference(spec, 2);
        spec.epilogue = {.kind = EpilogueKind::kStatic, .bias_s32 = bias, .multiplier = scale};
        ExpectEqualToReference(spec, 1);
        spec.epilogue = {.kind = EpilogueKind::kStaticFixed, .bias_s32 = bias, .fixed = fixed};
        ExpectEqualToReference(spec, 1);
      }
      ExpectEqualToReference({.geometry = g,
                              .filter = filter,
                              .filter_zero_point = zero_point,
                              .epilogue = {.kind = EpilogueKind::kDynamic, .weight_scale = scale}},
                             3);
    }
  }
}

TEST_P(Conv2dTest, ALaterGroupMayNeedRowsWhereTheFirstDoesNot) {
  for (const Conv2dGeometry& g : Geometries()) {
    if (g.groups == 1) continue;
    const auto filter = Bytes(FilterSize(g), 100, 127);
    std::vector<std::int8_t> zero_point(g.out_channels);
    zero_point.back() = -128;
    ExpectEqualToReference({.geometry = g, .filter = filter, .filter_zero_point = zero_point}, 2);
  }
}

TEST_P(Conv2dTest, ZeroPointsOfTheFilterAreTakenAway) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Bytes(FilterSize(g), -70, 70);
    const auto zero_point = Bytes(g.out_channels, -57, 57);
    std::vector<std::int8_t> difference(filter.size());
    for (std::size_t f = 0; f < filter.size(); ++f) {
      difference[f] = static_cast<std::int8_t>(filter[f] - zero_point[f % g.out_channels]);
    }
    const auto in = Bytes(2 * g.InSize());
    std::vector<std::int32_t> out[2];
    for (const bool is_folded : {false, true}) {
      Conv2dS8Spec spec = {.geometry = g, .filter = filter, .in_zero_point = ZeroPoint{-90}};
      if (is_folded) {
        spec.filter = difference;
      } else {
        spec.filter_zero_point = zero_point;
      }
      const auto prepared = set().prepare_conv2d_s8(spec);
      ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
      const Scratch scratch(prepared.kernel->ScratchByteSize(2));
      out[is_folded].resize(2 * g.OutSize());
      prepared.kernel->Run(
          {.num_images = 2, .in = in, .out = {.s32 = out[is_folded]}, .scratch = scratch.span()});
    }
    EXPECT_EQ(out[0], out[1]);
  }
}

TEST_P(Conv2dTest, ExtremesWithZeroPointsDoNotSaturate) {
  for (Conv2dGeometry g : Geometries()) {
    const auto taps = static_cast<std::int32_t>(FilterSize(g) / g.out_channels);
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = 0;
    for (const int x : {-128, 127}) {
      for (const int w : {-128, 127}) {
        const std::vector<std::int8_t> in(g.InSize(), static_cast<std::int8_t>(x));
        const std::vector<std::int8_t> filter(FilterSize(g), static_cast<std::int8_t>(w));
        const std::vector<std::int8_t> zero_point(g.out_channels, static_cast<std::int8_t>(-1 - w));
        const auto prepared = set().prepare_conv2d_s8({.geometry = g,
                                                       .filter = filter,
                                                       .filter_zero_point = zero_point,
                                                       .in_zero_point = ZeroPoint{-1 - x}});
        ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
        const Scratch scratch(prepared.kernel->ScratchByteSize(1));
        std::vector<std::int32_t> out(g.OutSize());
        prepared.kernel->Run(
            {.num_images = 1, .in = in, .out = {.s32 = out}, .scratch = scratch.span()});
        EXPECT_EQ(out, std::vector<std::int32_t>(out.size(), (2 * x + 1) * (2 * w + 1) * taps));
      }
    }
  }
}

TEST_P(Conv2dTest, FloatIsCloseToTheReference) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const auto filter = Floats(FilterSize(g), -1.0F, 1.0F);
    const auto bias = Floats(g.out_channels, -1.0F, 1.0F);
    for (const std::size_t num_images : {0UL, 1UL, 3UL}) {
      const auto in = Floats(num_images * g.InSize(), -1.0F, 1.0F);
      const Conv2dF32Spec spec = {.geometry = g,
                                  .filter = filter,
                                  .bias = bias,
                                  .activation = DefaultActivation(ActivationKind::kRelu)};
      std::vector<float> out[2];
      int side = 0;
      for (const KernelSet* side_set : {&set(), &Reference()}) {
        const auto prepared = side_set->prepare_conv2d_f32(spec);
        ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
        const Scratch scratch(prepared.kernel->ScratchByteSize(num_images));
        out[side].resize(num_images * g.OutSize());
        prepared.kernel->Run(
            {.num_images = num_images, .in = in, .out = out[side], .scratch = scratch.span()});
        ++side;
      }
      EXPECT_LT(RelativeDifference(out[0], out[1]), 2e-6F);
    }
  }
}

// What `pixels` pixels of `channels` lie in, `pitch` apart, where nothing else was written.
template <typename T>
std::vector<T> WithoutGaps(const std::vector<T>& out, std::size_t pixels, std::size_t channels,
                           std::size_t pitch, T gap) {
  std::vector<T> dense;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % pitch < channels) {
      dense.push_back(out[i]);
    } else {
      EXPECT_EQ(out[i], gap) << "between pixels, at " << i;
    }
  }
  EXPECT_EQ(dense.size(), pixels * channels);
  return dense;
}

TEST_P(Conv2dTest, PixelsMayLieApart) {
  constexpr std::size_t kImages = 2;
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    const Conv2dGeometry& g = Geometries()[i];
    const std::size_t pixels = kImages * g.OutHeight() * g.OutWidth();
    const auto filter = Bytes(FilterSize(g));
    const auto scale = Floats(g.out_channels, 0.0001F, 0.01F);
    const auto in = Bytes(kImages * g.InSize());
    Conv2dS8Spec spec = {.geometry = g,
                         .filter = filter,
                         .in_zero_point = ZeroPoint{-3},
                         .epilogue = {.kind = EpilogueKind::kStatic, .multiplier = scale}};
    for (const std::string_view name : set().conv2d_s8_implementations(spec)) {
      SCOPED_TRACE(testing::Message() << "geometry " << i << ", " << name);
      spec.implementation = name;
      const auto prepared = set().prepare_conv2d_s8(spec);
      ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
      const Scratch scratch(prepared.kernel->ScratchByteSize(kImages));
      Conv2dS8::Arguments arguments = {.num_images = kImages, .in = in, .scratch = scratch.span()};
      std::vector<std::int8_t> dense(pixels * g.out_channels);
      arguments.out.s8 = dense;
      prepared.kernel->Run(arguments);
      for (const std::size_t gap : {0UL, 1UL, 45UL}) {
        arguments.out_pitch = g.out_channels + gap;
        std::vector<std::int8_t> apart(pixels * arguments.out_pitch - gap, 77);
        arguments.out.s8 = apart;
        prepared.kernel->Run(arguments);
        EXPECT_EQ(WithoutGaps<std::int8_t>(apart, pixels, g.out_channels, arguments.out_pitch, 77),
                  dense);
      }
    }
  }
}

TEST_P(Conv2dTest, PixelsOfInt16MayLieApart) {
  constexpr std::size_t kImages = 2;
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& g = Geometries()[i];
    const std::size_t pixels = kImages * g.OutHeight() * g.OutWidth();
    const auto filter = Bytes(FilterSize(g));
    const auto scale = Doubles(g.out_channels, 0.00001, 0.001);
    std::vector<std::int16_t> in(kImages * g.InSize());
    for (std::size_t j = 0; j < in.size(); ++j) in[j] = static_cast<std::int16_t>(7919 * j);
    const auto prepared = set().prepare_conv2d_s16(
        {.geometry = g, .filter = filter, .epilogue = {.multiplier = scale}});
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    const Scratch scratch(prepared.kernel->ScratchByteSize(kImages));
    std::vector<std::int16_t> dense(pixels * g.out_channels);
    prepared.kernel->Run(
        {.num_images = kImages, .in = in, .out = {.s16 = dense}, .scratch = scratch.span()});
    const std::size_t pitch = g.out_channels + 5;
    std::vector<std::int16_t> apart(pixels * pitch - 5, 77);
    prepared.kernel->Run({.num_images = kImages,
                          .in = in,
                          .out = {.s16 = apart},
                          .out_pitch = pitch,
                          .scratch = scratch.span()});
    EXPECT_EQ(WithoutGaps<std::int16_t>(apart, pixels, g.out_channels, pitch, 77), dense);
  }
}

// `g` for images of another size and with other pads.
Conv2dGeometry Grown(Conv2dGeometry g, std::size_t by) {
  g.in_height += by;
  g.in_width += 2 * by;
  g.pad_top += by % 2;
  g.pad_right += by;
  return g;
}

TEST_P(Conv2dTest, OpenInt8IsThatOfTheRunsSize) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& prepared_for = Geometries()[i];
    const auto filter = Bytes(FilterSize(prepared_for));
    const auto scale = Floats(prepared_for.out_channels, 0.0001F, 0.01F);
    const auto zero_point = Bytes(prepared_for.out_channels);
    const Conv2dS8Spec open = {
        .geometry = prepared_for,
        .filter = filter,
        .filter_zero_point = zero_point,
        .in_zero_point = ZeroPoint{17},
        .epilogue = {.kind = EpilogueKind::kStaticFloat, .multiplier = scale},
        .is_open = true};
    const auto prepared = set().prepare_conv2d_s8(open);
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    const Scratch scratch(prepared.kernel->ScratchByteSize(2));
    for (const std::size_t by : {0UL, 1UL, 2UL, 31UL}) {
      const Conv2dGeometry g = Grown(prepared_for, by);
      const auto in = Bytes(2 * g.InSize());
      std::vector<float> out(2 * g.OutSize());
      std::vector<float> wanted(2 * g.OutSize());
      prepared.kernel->Run({.num_images = 2,
                            .geometry = &g,
                            .in = in,
                            .out = {.f32 = out},
                            .scratch = scratch.span()});
      Conv2dS8Spec fixed = open;
      fixed.geometry = g;
      fixed.is_open = false;
      Reference().prepare_conv2d_s8(fixed).kernel->Run(
          {.num_images = 2, .in = in, .out = {.f32 = wanted}});
      EXPECT_TRUE(SameBits(out, wanted)) << "grown by " << by;
    }
  }
}

TEST_P(Conv2dTest, OpenFloatIsThatOfTheRunsSize) {
  for (std::size_t i = 0; i < Geometries().size(); ++i) {
    SCOPED_TRACE(testing::Message() << "geometry " << i);
    const Conv2dGeometry& prepared_for = Geometries()[i];
    const auto filter = Floats(FilterSize(prepared_for), -1.0F, 1.0F);
    const auto bias = Floats(prepared_for.out_channels, -1.0F, 1.0F);
    const Conv2dF32Spec open = {
        .geometry = prepared_for, .filter = filter, .bias = bias, .is_open = true};
    const auto prepared = set().prepare_conv2d_f32(open);
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    EXPECT_THAT(std::string(prepared.kernel->Provider()), testing::Not(HasSubstr("onednn")));
    const Scratch scratch(prepared.kernel->ScratchByteSize(2));
    for (const std::size_t by : {0UL, 1UL, 2UL, 31UL}) {
      const Conv2dGeometry g = Grown(prepared_for, by);
      const auto in = Floats(2 * g.InSize(), -1.0F, 1.0F);
      std::vector<float> out(2 * g.OutSize());
      std::vector<float> wanted(2 * g.OutSize());
      prepared.kernel->Run(
          {.num_images = 2, .geometry = &g, .in = in, .out = out, .scratch = scratch.span()});
      Conv2dF32Spec fixed = open;
      fixed.geometry = g;
      fixed.is_open = false;
      Reference().prepare_conv2d_f32(fixed).kernel->Run(
          {.num_images = 2, .in = in, .out = wanted, .scratch = {}});
      EXPECT_LT(RelativeDifference(out, wanted), 2e-6F) << "grown by " << by;
    }
  }
}

// Whether a provider's name has oneDNN's slow implementations in it.
bool IsSlow(const std::string& provider) {
  return provider.find("ref:") != std::string::npos || provider.find("gemm") != std::string::npos;
}

// Large enough for oneDNN, where the set uses it: dense, grouped and depthwise.
const std::vector<Conv2dGeometry>& LargeGeometries() {
  static const std::vector<Conv2dGeometry> geometries = {{.in_height = 16,
                                                          .in_width = 17,
                                                          .in_channels = 32,
                                                          .kernel_height = 3,
                                                          .kernel_width = 3,
                                                          .out_channels = 40,
                                                          .pad_top = 1,
                                                          .pad_left = 1,
                                                          .pad_bottom = 1,
                                                          .pad_right = 1},
                                                         {.in_height = 40,
                                                          .in_width = 40,
                                                          .in_channels = 24,
                                                          .kernel_height = 3,
                                                          .kernel_width = 3,
                                                          .out_channels = 48,
                                                          .stride_height = 2,
                                                          .stride_width = 2,
                                                          .pad_bottom = 1,
                                                          .pad_right = 1,
                                                          .groups = 2},
                                                         {.in_height = 60,
                                                          .in_width = 60,
                                                          .in_channels = 96,
                                                          .kernel_height = 3,
                                                          .kernel_width = 3,
                                                          .out_channels = 96,
                                                          .dilation_height = 2,
                                                          .dilation_width = 2,
                                                          .pad_top = 2,
                                                          .pad_left = 2,
                                                          .pad_bottom = 2,
                                                          .pad_right = 2,
                                                          .groups = 96}};
  return geometries;
}

TEST_P(Conv2dTest, LargeFloatIsCloseToTheReferenceFromAnyThread) {
  int num_on_onednn = 0;
  for (const Conv2dGeometry& g : LargeGeometries()) {
    const auto filter = Floats(FilterSize(g), -1.0F, 1.0F);
    const auto bias = Floats(g.out_channels, -1.0F, 1.0F);
    const auto in = Floats(2 * g.InSize(), -1.0F, 1.0F);
    const Conv2dF32Spec spec = {.geometry = g,
                                .filter = filter,
                                .bias = bias,
                                .activation = DefaultActivation(ActivationKind::kLeakyRelu)};
    std::vector<float> wanted(2 * g.OutSize());
    Reference().prepare_conv2d_f32(spec).kernel->Run(
        {.num_images = 2, .in = in, .out = wanted, .scratch = {}});
    const auto prepared = set().prepare_conv2d_f32(spec);
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    const std::string provider(prepared.kernel->Provider());
    EXPECT_FALSE(IsSlow(provider)) << provider;
    num_on_onednn += provider.starts_with("onednn ") ? 1 : 0;
    std::vector<std::vector<float>> out(4, std::vector<float>(wanted.size()));
    std::vector<std::thread> threads;
    for (std::vector<float>& result : out) {
      threads.emplace_back([&] {
        PrepareThread();
        const Scratch scratch(prepared.kernel->ScratchByteSize(2));
        for (int i = 0; i < 5; ++i) {
          prepared.kernel->Run(
              {.num_images = 2, .in = in, .out = result, .scratch = scratch.span()});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<float>& result : out) {
      EXPECT_LT(RelativeDifference(result, wanted), 2e-6F);
    }
  }
  // It is a provider of every set that is compiled for an instruction set.
  EXPECT_EQ(num_on_onednn > 0, set().name != "reference");
}

// oneDNN 3.2 has "x64:gemm:jit" and "ref:any" for these on AVX2; what it has on other CPUs may be
// fast.
TEST_P(Conv2dTest, ASlowOneDnnKernelIsRefusedAndNamed) {
  for (const auto& [channels, dilation] : {std::pair(1UL, 1UL), std::pair(3UL, 2UL)}) {
    const Conv2dGeometry g = {.in_height = 60,
                              .in_width = 60,
                              .in_channels = channels,
                              .kernel_height = 11,
                              .kernel_width = 11,
                              .out_channels = channels == 1 ? 8UL : 3UL,
                              .dilation_height = dilation,
                              .dilation_width = dilation,
                              .pad_top = 8,
                              .pad_left = 8,
                              .pad_bottom = 8,
                              .pad_right = 8};
    const auto filter = Floats(FilterSize(g), -1.0F, 1.0F);
    const auto prepared = set().prepare_conv2d_f32({.geometry = g, .filter = filter});
    ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
    const std::string provider(prepared.kernel->Provider());
    if (provider.starts_with("onednn ")) {
      EXPECT_FALSE(IsSlow(provider)) << provider;
    } else if (set().name != "reference") {
      EXPECT_THAT(provider, HasSubstr(", instead of onednn "));
      EXPECT_TRUE(IsSlow(provider)) << provider;
    }
  }
}

TEST_P(Conv2dTest, AnOpenConvolutionLeavesOneDnnOut) {
  const Conv2dGeometry& g = LargeGeometries().front();
  const auto filter = Floats(FilterSize(g), -1.0F, 1.0F);
  const auto prepared =
      set().prepare_conv2d_f32({.geometry = g, .filter = filter, .is_open = true});
  ASSERT_NE(prepared.kernel, nullptr) << prepared.error;
  EXPECT_THAT(std::string(prepared.kernel->Provider()), testing::Not(HasSubstr("onednn")));
}

TEST_P(Conv2dTest, RefusesWrongGeometries) {
  const auto filter = Bytes(9);
  const auto error = [&](const Conv2dGeometry& g) {
    return set().prepare_conv2d_s8({.geometry = g, .filter = filter}).error;
  };
  EXPECT_THAT(error({.in_height = 2, .in_width = 2, .kernel_height = 3, .kernel_width = 3}),
              HasSubstr("larger than its padded input"));
  EXPECT_THAT(error({.in_height = 5, .in_width = 5, .kernel_height = 3, .kernel_width = 2}),
              HasSubstr("filter holds 9 values, wants 6"));
  EXPECT_THAT(error({.in_height = 5, .in_width = 5, .in_channels = 3, .groups = 2}),
              HasSubstr("2 groups do not divide 3"));
  EXPECT_THAT(error({.in_height = 5, .in_width = 5, .stride_width = 0}), HasSubstr("is 0"));
  EXPECT_THAT(
      set()
          .prepare_conv2d_s8(
              {.geometry = {.out_channels = 9}, .filter = filter, .filter_zero_point = Bytes(1)})
          .error,
      HasSubstr("filter_zero_point holds 1 values, wants 9"));
}

TEST_P(Conv2dTest, RefusesLongSums) {
  const std::vector<std::int8_t> filter(kMostTerms + 1, 0);
  const Conv2dGeometry g = {.in_channels = filter.size()};
  EXPECT_EQ(set().prepare_conv2d_s8({.geometry = g, .filter = filter}).error,
            "the number of values that an output sees is 33554433, wants at most 33554432");
}

// Taps with much padding between them: more than fits into memory, or into 32 and 64 bits.
TEST_P(Conv2dTest, TakesLargePads) {
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
    ExpectEqualToReference({.geometry = g, .filter = filter}, 1);
  }
}

// Strides beyond the image, so that only its first pixel is seen.
TEST_P(Conv2dTest, TakesLargeStrides) {
  for (const std::size_t channels : {3UL, 16UL}) {
    constexpr std::size_t kStride = std::size_t{1} << 31;
    const Conv2dGeometry g = {.in_height = 3,
                              .in_width = 5,
                              .in_channels = channels,
                              .out_channels = channels,
                              .stride_height = kStride,
                              .stride_width = kStride,
                              .groups = channels};
    const auto filter = Bytes(FilterSize(g));
    ExpectEqualToReference({.geometry = g, .filter = filter}, 2);
  }
}

OCTET_FOR_ALL_KERNEL_SETS(Conv2dTest);

}  // namespace
}  // namespace octet::kernels
