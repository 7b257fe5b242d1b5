// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string_view>

namespace octet::kernels {
namespace {

using testing::HasSubstr;

TEST(KernelSetTest, ReferenceIsLastAndRunsEverywhere) {
  ASSERT_FALSE(AllKernelSets().empty());
  EXPECT_EQ(AllKernelSets().back()->name, "reference");
  EXPECT_TRUE(AllKernelSets().back()->runs_here());
}

TEST(KernelSetTest, NamesAreDifferentAndFound) {
  std::set<std::string_view> names;
  for (const KernelSet* set : AllKernelSets()) {
    EXPECT_TRUE(names.insert(set->name).second) << set->name;
    EXPECT_EQ(FindKernelSet(set->name), set);
  }
  EXPECT_EQ(FindKernelSet("sse9"), nullptr);
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
    EXPECT_NE(set->prepare_matmul_f32, nullptr);
    EXPECT_NE(set->prepare_matmul_weight_only, nullptr);
    EXPECT_NE(set->batched_matmul_f32, nullptr);
    EXPECT_NE(set->batched_matmul_f32_scratch_byte_size, nullptr);
    EXPECT_NE(set->prepare_conv2d_s8, nullptr);
    EXPECT_NE(set->prepare_conv2d_f32, nullptr);
    EXPECT_NE(set->pool2d_f32, nullptr);
    EXPECT_NE(set->pool2d_s8, nullptr);
    EXPECT_NE(set->activation_f32, nullptr);
    EXPECT_NE(set->lookup_s8, nullptr);
    EXPECT_NE(set->binary_f32, nullptr);
    EXPECT_NE(set->binary_s8, nullptr);
    EXPECT_NE(set->softmax_f32, nullptr);
    EXPECT_NE(set->normalize_f32, nullptr);
  }
}

}  // namespace
}  // namespace octet::kernels
