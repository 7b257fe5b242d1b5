// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/memory_plan.h"

#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

TEST(MemoryPlanTest, ValuesThatAreReadAndWrittenByOneStepDoNotShare) {
  // A chain: each step reads what the one before wrote. Two slots take turns.
  EXPECT_THAT(AssignSlots(std::vector<Lifetime>{{0, 1, 8}, {1, 2, 8}, {2, 3, 8}, {3, 3, 8}}),
              ElementsAre(0, 1, 0, 1));
}

TEST(MemoryPlanTest, AValueThatIsReadLaterKeepsItsSlot) {
  EXPECT_THAT(AssignSlots(std::vector<Lifetime>{{0, 9, 8}, {1, 2, 8}, {2, 3, 8}, {3, 9, 8}}),
              ElementsAre(0, 1, 2, 1));
}

TEST(MemoryPlanTest, OutputsOfOneStepDoNotShare) {
  EXPECT_THAT(AssignSlots(std::vector<Lifetime>{{0, 0, 8}, {0, 0, 8}, {1, 1, 8}}),
              ElementsAre(0, 1, 0));
}

TEST(MemoryPlanTest, ValuesOfLikeSizeShare) {
  EXPECT_THAT(AssignSlots(std::vector<Lifetime>{{0, 1, 1000}, {0, 1, 10}, {2, 3, 12}, {2, 3, 900}}),
              ElementsAre(0, 1, 1, 0));
}

TEST(MemoryPlanTest, NothingNeedsNothing) {
  EXPECT_TRUE(AssignSlots({}).empty());
  EXPECT_EQ(PlaceSlots({}, {}, {}), 0U);
}

TEST(MemoryPlanTest, SlotsAreAlignedAndAsLargeAsTheirLargestValue) {
  const std::vector<std::int32_t> slots = {0, 1, 0, 2};
  const std::vector<std::size_t> byte_sizes = {10, 64, 100, 0};
  std::vector<std::size_t> offsets(3);
  EXPECT_EQ(PlaceSlots(slots, byte_sizes, offsets), 192U);
  EXPECT_THAT(offsets, ElementsAre(0U, 128U, 192U));
}

TEST(MemoryPlanTest, ValuesAliveAtOnceNeverOverlap) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Lifetime> lifetimes;
    std::vector<std::size_t> byte_sizes;
    for (std::int32_t step = 0; step < 30; ++step) {
      const auto last = static_cast<std::int32_t>(step + static_cast<int>(random() % 8));
      byte_sizes.push_back(random() % 500);
      lifetimes.push_back({step, last, byte_sizes.back()});
    }
    const std::vector<std::int32_t> slots = AssignSlots(lifetimes);
    std::vector<std::size_t> offsets(30);
    const std::size_t end = PlaceSlots(slots, byte_sizes, offsets);
    for (std::size_t a = 0; a < 30; ++a) {
      const std::size_t from = offsets[static_cast<std::size_t>(slots[a])];
      ASSERT_LE(from + byte_sizes[a], end);
      for (std::size_t b = a + 1; b < 30; ++b) {
        if (lifetimes[b].first_step > lifetimes[a].last_step) continue;
        const std::size_t other = offsets[static_cast<std::size_t>(slots[b])];
        ASSERT_TRUE(from + byte_sizes[a] <= other || other + byte_sizes[b] <= from)
            << "seed " << seed << ": " << a << " and " << b;
      }
    }
  }
}

}  // namespace
}  // namespace octet
