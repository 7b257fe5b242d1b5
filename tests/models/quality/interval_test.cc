// SPDX-License-Identifier: Apache-2.0
#include "models/quality/interval.h"

#include <gtest/gtest.h>

namespace octet {
namespace {

// The published example of Newcombe (1998): 81 of 263.
TEST(WilsonIntervalTest, GivesThePublishedFigures) {
  const Interval interval = WilsonInterval(81.0 / 263.0, 263);
  EXPECT_NEAR(interval.low, 0.2553, 5e-5);
  EXPECT_NEAR(interval.high, 0.3662, 5e-5);
}

TEST(WilsonIntervalTest, StaysWithinZeroAndOneAtTheEnds) {
  const Interval all = WilsonInterval(1.0, 10);
  EXPECT_NEAR(all.high, 1.0, 1e-12);
  EXPECT_NEAR(all.low, 0.7225, 5e-5);
  const Interval none = WilsonInterval(0.0, 10);
  EXPECT_NEAR(none.low, 0.0, 1e-12);
  const Interval nothing = WilsonInterval(0.5, 0);
  EXPECT_EQ(nothing.low, 0.0);
  EXPECT_EQ(nothing.high, 1.0);
}

}  // namespace
}  // namespace octet
