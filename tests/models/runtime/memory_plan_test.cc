// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/memory_plan.h"

#include <algorithm>
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

// The slots that a search through all of them finds.
std::vector<std::int32_t> SearchedSlots(const std::vector<Lifetime>& lifetimes) {
  std::vector<Lifetime> slots;  // of each: its last value's last step, its values' largest size
  std::vector<std::int32_t> assigned;
  for (const Lifetime& lifetime : lifetimes) {
    const auto distance = [&](const Lifetime& slot) {
      return std::max(slot.typical_byte_size, lifetime.typical_byte_size) -
             std::min(slot.typical_byte_size, lifetime.typical_byte_size);
    };
    std::size_t best = slots.size();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].last_step >= lifetime.first_step) continue;
      if (best == slots.size() || distance(slots[i]) < distance(slots[best])) best = i;
    }
    if (best == slots.size()) slots.emplace_back();
    slots[best].last_step = lifetime.last_step;
    slots[best].typical_byte_size =
        std::max(slots[best].typical_byte_size, lifetime.typical_byte_size);
    assigned.push_back(static_cast<std::int32_t>(best));
  }
  return assigned;
}

TEST(MemoryPlanTest, AValueGetsTheFreeSlotNearestInSize) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::vector<Lifetime> lifetimes;
    std::int32_t step = 0;
    for (int i = 0; i < 60; ++i) {
      step += static_cast<std::int32_t>(random() % 3);
      const auto last = static_cast<std::int32_t>(step + static_cast<int>(random() % 20));
      lifetimes.push_back({step, last, random() % 12});  // few sizes: many are equally near
    }
    ASSERT_EQ(AssignSlots(lifetimes), SearchedSlots(lifetimes)) << "seed " << seed;
  }
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
