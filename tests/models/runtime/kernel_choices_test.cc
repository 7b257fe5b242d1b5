// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/kernel_choices.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

std::size_t Fastest(const std::vector<std::vector<double>>& us) {
  std::vector<ImplementationTimes> times;
  for (const std::vector<double>& of_one : us) {
    times.push_back({.name = "implementation", .us = of_one});
  }
  return FastestImplementation(times);
}

TEST(FastestImplementationTest, TheRuleStaysUnlessAnotherIsClearlyFaster) {
  EXPECT_EQ(Fastest({{100}}), 0U);
  EXPECT_EQ(Fastest({{100}, {100}}), 0U);
  EXPECT_EQ(Fastest({{100}, {95.1}}), 0U);
  EXPECT_EQ(Fastest({{100}, {94.9}}), 1U);
  EXPECT_EQ(Fastest({{100}, {1000}, {1}}), 2U);
}

TEST(FastestImplementationTest, AmongTheFasterTheFastestIsTaken) {
  EXPECT_EQ(Fastest({{100}, {80}, {60}, {70}}), 2U);
  EXPECT_EQ(Fastest({{100}, {60}, {59.9}}), 2U);
  EXPECT_EQ(Fastest({{100}, {60}, {60}}), 1U) << "the earlier one, where none is faster";
}

TEST(FastestImplementationTest, EveryBatchSizeCountsAsMuch) {
  // Half as long at one row, a little longer at sixteen.
  EXPECT_EQ(Fastest({{10, 1000}, {5, 1040}}), 1U);
  // The geometric mean of 0.96 and 0.96 is no 5 %.
  EXPECT_EQ(Fastest({{10, 1000}, {9.6, 960}}), 0U);
}

TEST(FastestImplementationTest, NoBatchSizeMayBecomeClearlySlower) {
  EXPECT_EQ(Fastest({{10, 1000}, {1, 1060}}), 0U);
  EXPECT_EQ(Fastest({{10, 1000}, {1, 1060}, {9, 900}}), 2U);
}

TEST(FastestImplementationTest, TimesThatAreNoneChooseNothing) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, infinity, std::nan("")}) {
    EXPECT_EQ(Fastest({{100}, {bad}}), 0U);
    EXPECT_EQ(Fastest({{bad}, {1}}), 0U);
    EXPECT_EQ(Fastest({{100}, {bad}, {50}}), 2U);
  }
  EXPECT_EQ(Fastest({{}, {}}), 0U);
}

TEST(KernelChoicesTest, FindsByCpuKernelSetAndLayer) {
  KernelChoices choices;
  const KernelChoice choice = {
      .implementation = "rows", .batch_sizes = {1}, .times = {{"rows", {2.0}}}};
  choices.Set({"cpu", "avx2", "layer"}, choice);
  ASSERT_NE(choices.Find({"cpu", "avx2", "layer"}), nullptr);
  EXPECT_EQ(*choices.Find({"cpu", "avx2", "layer"}), choice);
  EXPECT_EQ(choices.Find({"another", "avx2", "layer"}), nullptr);
  EXPECT_EQ(choices.Find({"cpu", "amx", "layer"}), nullptr);
  EXPECT_EQ(choices.Find({"cpu", "avx2", "another"}), nullptr);
  choices.Set({"cpu", "avx2", "layer"}, {.implementation = "windows"});
  EXPECT_EQ(choices.Find({"cpu", "avx2", "layer"})->implementation, "windows");
  EXPECT_EQ(choices.entries().size(), 1U);
}

}  // namespace
}  // namespace octet
