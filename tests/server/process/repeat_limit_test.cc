// SPDX-License-Identifier: Apache-2.0

#include "server/process/repeat_limit.h"

#include "gtest/gtest.h"

namespace octet {
namespace {

// Begins a window.
const std::chrono::steady_clock::time_point kStart(RepeatLimit::kWindow * 1000);

TEST(RepeatLimitTest, SomeOfAWindowAndTheCountOfTheRestWithTheNext) {
  RepeatLimit limit;
  std::uint64_t let_through = 0;
  for (int i = 0; i < 100; ++i) {
    const RepeatLimit::Verdict verdict = limit.Ask(7, kStart);
    let_through += verdict.is_let_through ? 1 : 0;
    EXPECT_EQ(verdict.suppressed, 0U);
  }
  EXPECT_EQ(let_through, RepeatLimit::kMostInWindow);
  const RepeatLimit::Verdict next = limit.Ask(7, kStart + RepeatLimit::kWindow);
  EXPECT_TRUE(next.is_let_through);
  EXPECT_EQ(next.suppressed, 100 - RepeatLimit::kMostInWindow);
  EXPECT_EQ(limit.Ask(7, kStart + RepeatLimit::kWindow).suppressed, 0U);
  EXPECT_EQ(limit.suppressed(), 100 - RepeatLimit::kMostInWindow);
}

TEST(RepeatLimitTest, KindsHaveLimitsOfTheirOwn) {
  RepeatLimit limit;
  for (int i = 0; i < 50; ++i) (void)limit.Ask(1, kStart);
  EXPECT_TRUE(limit.Ask(2, kStart).is_let_through);
  EXPECT_FALSE(limit.Ask(1, kStart).is_let_through);
}

}  // namespace
}  // namespace octet
