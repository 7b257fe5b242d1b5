// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu_features.h"

namespace octet::kernels {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(KernelSetTest, ReferenceIsLastAndRunsEverywhere) {
  ASSERT_FALSE(AllKernelSets().empty());
  EXPECT_EQ(AllKernelSets().back()->name, "reference");
  EXPECT_TRUE(AllKernelSets().back()->runs_here());
}

TEST(KernelSetTest, AllSetsAreThereBestFirst) {
  std::vector<std::string_view> names;
  for (const KernelSet* set : AllKernelSets()) {
    names.push_back(set->name);
    EXPECT_EQ(FindKernelSet(set->name), set);
  }
  EXPECT_THAT(names, ElementsAre("amx", "avx512vnni", "avx2", "reference"));
  EXPECT_EQ(FindKernelSet("sse9"), nullptr);
}

TEST(KernelSetTest, ASetRunsWhereTheCpuHasItsInstructions) {
  const CpuFeatures cpu = DetectCpuFeatures();
  EXPECT_EQ(FindKernelSet("avx2")->runs_here(), cpu.avx2);
  EXPECT_EQ(FindKernelSet("avx512vnni")->runs_here(), cpu.avx512_vnni);
  EXPECT_LE(FindKernelSet("amx")->runs_here(), cpu.amx_int8);  // the system may not permit it
}

TEST(KernelSetTest, BestIsTheFirstThatRunsHere) {
  for (const KernelSet* set : AllKernelSets()) {
    if (!set->runs_here()) continue;
    EXPECT_EQ(BestKernelSet(), set);
    return;
  }
}

TEST(KernelSetTest, SelectsWhatIsForced) {
  EXPECT_EQ(SelectKernelSet("reference").set, FindKernelSet("reference"));
  EXPECT_EQ(SelectKernelSet(nullptr).set, BestKernelSet());
  EXPECT_EQ(SelectKernelSet("").set, BestKernelSet());
}

TEST(KernelSetTest, ForcingWhatDoesNotRunHereSaysSo) {
  for (const KernelSet* set : AllKernelSets()) {
    const KernelSetSelection selection = SelectKernelSet(std::string(set->name).c_str());
    if (set->runs_here()) {
      EXPECT_EQ(selection.set, set);
    } else {
      EXPECT_EQ(selection.set, nullptr);
      EXPECT_THAT(selection.error, HasSubstr("\" does not run on this CPU; those that run here: "));
    }
  }
}

TEST(KernelSetTest, ForcingWhatIsNotThereNamesWhatThereIs) {
  const KernelSetSelection selection = SelectKernelSet("sse9");
  EXPECT_EQ(selection.set, nullptr);
  EXPECT_THAT(selection.error, HasSubstr("\"sse9\" is not a kernel set"));
  EXPECT_THAT(selection.error, HasSubstr("reference"));
}

TEST(KernelSetTest, EveryFamilyIsThereInEverySet) {
  for (const KernelSet* set : AllKernelSets()) {
    SCOPED_TRACE(set->name);
    EXPECT_NE(set->quantize_rows_s8, nullptr);
    EXPECT_NE(set->quantize_s8, nullptr);
    EXPECT_NE(set->dequantize_s8, nullptr);
    EXPECT_NE(set->requantize_s8, nullptr);
    EXPECT_NE(set->prepare_matmul_s8, nullptr);
    EXPECT_NE(set->prepare_matmul_s8s4, nullptr);
    EXPECT_NE(set->matmul_s8_implementations, nullptr);
    EXPECT_NE(set->matmul_s8s4_implementations, nullptr);
    EXPECT_NE(set->prepare_matmul_f32, nullptr);
    EXPECT_NE(set->prepare_matmul_weight_only, nullptr);
    EXPECT_NE(set->batched_matmul_f32, nullptr);
    EXPECT_NE(set->batched_matmul_f32_scratch_byte_size, nullptr);
    EXPECT_NE(set->attention_f32, nullptr);
    EXPECT_NE(set->attention_f32_scratch_byte_size, nullptr);
    EXPECT_NE(set->reduced_attention, nullptr);
    EXPECT_NE(set->prepare_conv2d_s8, nullptr);
    EXPECT_NE(set->conv2d_s8_implementations, nullptr);
    EXPECT_NE(set->prepare_conv2d_f32, nullptr);
    EXPECT_NE(set->pool2d_f32, nullptr);
    EXPECT_NE(set->pool2d_s8, nullptr);
    EXPECT_NE(set->activation_f32, nullptr);
    EXPECT_NE(set->lookup_s8, nullptr);
    EXPECT_NE(set->binary_f32, nullptr);
    EXPECT_NE(set->binary_s8, nullptr);
    EXPECT_NE(set->binary_fixed_s8, nullptr);
    EXPECT_NE(set->binary_fixed_s16, nullptr);
    EXPECT_NE(set->softmax_f32, nullptr);
    EXPECT_NE(set->normalize_f32, nullptr);
  }
}

}  // namespace
}  // namespace octet::kernels
