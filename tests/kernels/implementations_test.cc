// SPDX-License-Identifier: Apache-2.0
#include "kernels/implementations.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cpu_features.h"
#include "tests/kernels/convolution_geometries.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

bool IsKey(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

class ImplementationsTest : public KernelSetTest {
 protected:
  // The outputs of `spec` in that implementation, as bytes.
  static std::vector<std::int32_t> RunConv2d(const KernelSet& set, Conv2dS8Spec spec,
                                             std::string_view implementation,
                                             const std::vector<std::int8_t>& in,
                                             std::size_t num_images) {
    spec.implementation = implementation;
    const auto prepared = set.prepare_conv2d_s8(spec);
    EXPECT_NE(prepared.kernel, nullptr) << prepared.error;
    if (prepared.kernel == nullptr) return {};
    const Scratch scratch(prepared.kernel->ScratchByteSize(num_images));
    std::vector<std::int32_t> out(num_images * spec.geometry.OutSize());
    prepared.kernel->Run(
        {.num_images = num_images, .in = in, .out = {.s32 = out}, .scratch = scratch.span()});
    return out;
  }

  void ExpectEveryImplementationIsEqual(const Conv2dS8Spec& spec) {
    for (const std::size_t num_images : {0UL, 1UL, 3UL}) {
      const auto in = Bytes(num_images * spec.geometry.InSize());
      const auto wanted = RunConv2d(Reference(), spec, "", in, num_images);
      const auto names = set().conv2d_s8_implementations(spec);
      ASSERT_THAT(names, Not(IsEmpty()));
      for (const std::string_view name : names) {
        EXPECT_EQ(RunConv2d(set(), spec, name, in, num_images), wanted)
            << name << " of " << LayerKey(spec);
      }
    }
  }
};

TEST_P(ImplementationsTest, EveryConvolutionIsEqualToTheBit) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto filter = Bytes(FilterSize(g));
    const auto bias = Integers(g.out_channels, -9000, 9000);
    ExpectEveryImplementationIsEqual({.geometry = g,
                                      .filter = filter,
                                      .in_zero_point = ZeroPoint{-77},
                                      .epilogue = {.bias_s32 = bias}});
  }
}

TEST_P(ImplementationsTest, SoAreConvolutionsOfManyPixels) {
  for (Conv2dGeometry g : Geometries()) {
    g.in_height += 29;
    g.in_width += 23;
    const auto filter = Bytes(FilterSize(g));
    ExpectEveryImplementationIsEqual(
        {.geometry = g, .filter = filter, .in_zero_point = ZeroPoint{12}});
  }
}

TEST_P(ImplementationsTest, SoAreConvolutionsWithZeroPoints) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto small_filter = Bytes(FilterSize(g), -60, 60);
    const auto small_zero_point = Bytes(g.out_channels, -60, 60);
    ExpectEveryImplementationIsEqual({.geometry = g,
                                      .filter = small_filter,
                                      .filter_zero_point = small_zero_point,
                                      .in_zero_point = ZeroPoint{3}});
    // Differences to the filter that are no int8.
    const auto filter = Bytes(FilterSize(g));
    const auto zero_point = Bytes(g.out_channels);
    ExpectEveryImplementationIsEqual({.geometry = g,
                                      .filter = filter,
                                      .filter_zero_point = zero_point,
                                      .in_zero_point = ZeroPoint{-128}});
  }
}

TEST_P(ImplementationsTest, ALaterGroupMayNeedWhatTheFirstDoesNot) {
  for (const Conv2dGeometry& g : Geometries()) {
    if (g.groups == 1) continue;
    const auto filter = Bytes(FilterSize(g), 100, 127);
    std::vector<std::int8_t> zero_point(g.out_channels);
    zero_point.back() = -128;
    ExpectEveryImplementationIsEqual(
        {.geometry = g, .filter = filter, .filter_zero_point = zero_point});
  }
}

TEST_P(ImplementationsTest, StoredFloatsAreEqualToTheBit) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto filter = Bytes(FilterSize(g));
    const auto scale = Floats(g.out_channels, 0.0001F, 0.01F);
    const auto in = Bytes(2 * g.InSize());
    const auto row_scale = Floats(2, 20.0F, 900.0F);
    Conv2dS8Spec spec = {.geometry = g,
                         .filter = filter,
                         .epilogue = {.kind = EpilogueKind::kDynamic, .weight_scale = scale}};
    const auto run = [&](const KernelSet& of, std::string_view name) {
      spec.implementation = name;
      const auto prepared = of.prepare_conv2d_s8(spec);
      const Scratch scratch(prepared.kernel->ScratchByteSize(2));
      std::vector<float> out(2 * g.OutSize());
      prepared.kernel->Run({.num_images = 2,
                            .in = in,
                            .row_scale = row_scale,
                            .out = {.f32 = out},
                            .scratch = scratch.span()});
      return out;
    };
    const auto wanted = run(Reference(), "");
    for (const std::string_view name : set().conv2d_s8_implementations(spec)) {
      EXPECT_TRUE(SameBits(run(set(), name), wanted)) << name;
    }
  }
}

TEST_P(ImplementationsTest, EveryProductIsEqualToTheBit) {
  for (const auto& size : {std::pair(1UL, 1UL), std::pair(37UL, 19UL), std::pair(130UL, 70UL)}) {
    const std::size_t k = size.first;
    const std::size_t n = size.second;
    const auto weight = Bytes(k * n);
    const auto zero_point = Bytes(n);
    MatmulS8Spec spec = {.k = k,
                         .n = n,
                         .weight = weight,
                         .zero_point = zero_point,
                         .lhs_zero_point = ZeroPoint{-9}};
    for (const std::size_t m : {0UL, 1UL, 3UL, 4UL, 15UL, 16UL, 17UL, 250UL}) {
      const auto lhs = Bytes(m * k);
      const auto run = [&](const KernelSet& of, std::string_view name) {
        spec.implementation = name;
        const auto prepared = of.prepare_matmul_s8(spec);
        const Scratch scratch(prepared.kernel->ScratchByteSize(m));
        std::vector<std::int32_t> out(m * n);
        prepared.kernel->Run({.m = m, .lhs = lhs, .out = {.s32 = out}, .scratch = scratch.span()});
        return out;
      };
      const auto wanted = run(Reference(), "");
      for (const std::string_view name : set().matmul_s8_implementations(spec)) {
        EXPECT_EQ(run(set(), name), wanted) << name << ", " << m << " rows";
      }
    }
  }
}

TEST_P(ImplementationsTest, EveryInt4ProductIsEqualToTheBit) {
  for (const std::size_t group_size : {0UL, 32UL, 50UL}) {
    const std::size_t k = 130;
    const std::size_t n = 37;
    const std::size_t groups = group_size == 0 ? 1 : (k - 1) / group_size + 1;
    const auto weight = Bytes(k * n, -8, 7);
    const auto scale = Floats(groups * n, 0.001F, 0.02F);
    MatmulS8S4Spec spec = {
        .k = k,
        .n = n,
        .weight = weight,
        .group_size = group_size,
        .epilogue = {.kind = EpilogueKind::kDynamic, .convention = ScaleConvention::kMultiply}};
    (group_size == 0 ? spec.epilogue.weight_scale : spec.scale) = scale;
    for (const std::size_t m : {0UL, 1UL, 4UL, 17UL, 250UL}) {
      const auto lhs = Bytes(m * k);
      const auto row_scale = Floats(m, 20.0F, 900.0F);
      const auto run = [&](const KernelSet& of, std::string_view name) {
        spec.implementation = name;
        const auto prepared = of.prepare_matmul_s8s4(spec);
        const Scratch scratch(prepared.kernel->ScratchByteSize(m));
        std::vector<float> out(m * n);
        prepared.kernel->Run({.m = m,
                              .lhs = lhs,
                              .row_scale = row_scale,
                              .out = {.f32 = out},
                              .scratch = scratch.span()});
        return out;
      };
      const auto wanted = run(Reference(), "");
      for (const std::string_view name : set().matmul_s8s4_implementations(spec)) {
        EXPECT_TRUE(SameBits(run(set(), name), wanted)) << name << ", " << m << " rows";
      }
    }
  }
}

TEST_P(ImplementationsTest, TheFirstIsTheRules) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto filter = Bytes(FilterSize(g));
    Conv2dS8Spec spec = {.geometry = g, .filter = filter};
    const auto names = set().conv2d_s8_implementations(spec);
    EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
    const std::string by_rule(set().prepare_conv2d_s8(spec).kernel->Provider());
    std::set<std::string> providers;
    for (const std::string_view name : names) {
      spec.implementation = name;
      providers.emplace(set().prepare_conv2d_s8(spec).kernel->Provider());
    }
    spec.implementation = names.front();
    EXPECT_EQ(set().prepare_conv2d_s8(spec).kernel->Provider(), by_rule);
    EXPECT_EQ(providers.size(), names.size()) << "each has a name of its own for people";
  }
}

TEST_P(ImplementationsTest, RefusesANameThatDoesNotFit) {
  const auto filter = Bytes(9);
  EXPECT_THAT(
      set()
          .prepare_conv2d_s8(
              {.geometry = {.out_channels = 9}, .filter = filter, .implementation = "winograd"})
          .error,
      HasSubstr("implementation is \"winograd\", wants one of \""));
  EXPECT_THAT(
      set().prepare_matmul_s8({.k = 3, .n = 3, .weight = filter, .implementation = "x"}).error,
      HasSubstr("implementation is \"x\""));
  const auto nibbles = Bytes(9, -8, 7);
  EXPECT_THAT(
      set().prepare_matmul_s8s4({.k = 3, .n = 3, .weight = nibbles, .implementation = "x"}).error,
      HasSubstr("implementation is \"x\""));
}

TEST_P(ImplementationsTest, ABadSpecHasNone) {
  EXPECT_THAT(set().conv2d_s8_implementations({.geometry = {.stride_width = 0}}), IsEmpty());
  EXPECT_THAT(set().matmul_s8_implementations({}), IsEmpty());
  EXPECT_THAT(set().matmul_s8s4_implementations({}), IsEmpty());
}

TEST_P(ImplementationsTest, AnOpenConvolutionHasOne) {
  for (const Conv2dGeometry& g : Geometries()) {
    const auto filter = Bytes(FilterSize(g));
    EXPECT_EQ(
        set().conv2d_s8_implementations({.geometry = g, .filter = filter, .is_open = true}).size(),
        1U);
  }
}

OCTET_FOR_ALL_KERNEL_SETS(ImplementationsTest);

TEST(ImplementationNamesTest, AmxMayTakeItsTilesFromAnyRow) {
  const std::vector<std::int8_t> weight(12);
  const auto names =
      FindKernelSet("amx")->matmul_s8_implementations({.k = 3, .n = 4, .weight = weight});
  EXPECT_THAT(names, ElementsAre("many_rows_from_4", "many_rows_from_1", "many_rows_from_16",
                                 "few_rows_only"));
}

TEST(ImplementationNamesTest, ConvolutionsHaveWindowsAndRows) {
  const Conv2dGeometry g = {.in_height = 20,
                            .in_width = 20,
                            .in_channels = 16,
                            .kernel_height = 3,
                            .kernel_width = 3,
                            .out_channels = 8};
  const std::vector<std::int8_t> filter(FilterSize(g));
  const Conv2dS8Spec spec = {.geometry = g, .filter = filter};
  EXPECT_THAT(FindKernelSet("avx2")->conv2d_s8_implementations(spec),
              ElementsAre("windows", "rows", "long_rows", "short_windows"));
  EXPECT_THAT(FindKernelSet("amx")->conv2d_s8_implementations(spec),
              ElementsAre("rows", "long_rows", "windows", "short_windows"));
}

TEST(LayerKeyTest, SaysWhatDecidesTheSpeed) {
  std::set<std::string> keys;
  for (const Conv2dGeometry& g : Geometries()) {
    for (const EpilogueKind kind : {EpilogueKind::kNone, EpilogueKind::kStatic}) {
      const std::string key = LayerKey(Conv2dS8Spec{.geometry = g, .epilogue = {.kind = kind}});
      EXPECT_TRUE(IsKey(key)) << key;
      keys.insert(key);
    }
  }
  EXPECT_EQ(keys.size(), 2 * Geometries().size());
  EXPECT_EQ(LayerKey(MatmulS8Spec{.k = 3, .n = 4}), "matmul_s8 3x4 s32");
  EXPECT_EQ(LayerKey(MatmulS8S4Spec{.k = 3, .n = 4, .group_size = 2}),
            "matmul_s8s4 3x4 group 2 s32");
}

TEST(CpuNameTest, IsAKeyThatStaysTheSame) {
  EXPECT_TRUE(IsKey(CpuName())) << CpuName();
  EXPECT_EQ(CpuName(), CpuName());
  EXPECT_THAT(CpuName(), HasSubstr(", family "));
}

}  // namespace
}  // namespace octet::kernels
