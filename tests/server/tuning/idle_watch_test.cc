// SPDX-License-Identifier: Apache-2.0

#include "server/tuning/idle_watch.h"

#include <chrono>

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""s;

TEST(IdleWatchTest, IdleIsQuietForLongEnough) {
  IdleWatch watch(2s);
  EXPECT_FALSE(watch.Look(100s, {}));
  EXPECT_FALSE(watch.Look(101s, {}));
  EXPECT_TRUE(watch.Look(102s, {}));
  EXPECT_TRUE(watch.Look(103s, {}));
}

TEST(IdleWatchTest, WhoIsInsideIsNoQuietHoweverLong) {
  IdleWatch watch(2s);
  EXPECT_FALSE(watch.Look(0s, {.entered = 5, .left = 4}));
  EXPECT_FALSE(watch.Look(1000s, {.entered = 5, .left = 4}));
  EXPECT_FALSE(watch.Look(1001s, {.entered = 5, .left = 5}));
  EXPECT_TRUE(watch.Look(1003s, {.entered = 5, .left = 5}));
}

TEST(IdleWatchTest, WhoCameAndWentBetweenTwoLooksCounts) {
  IdleWatch watch(2s);
  EXPECT_FALSE(watch.Look(0s, {.entered = 1, .left = 1}));
  EXPECT_FALSE(watch.Look(2s, {.entered = 2, .left = 2}));
  EXPECT_EQ(watch.counts(), (RequestCounts{.entered = 2, .left = 2}));
  EXPECT_TRUE(watch.Look(4s, {.entered = 2, .left = 2}));
}

}  // namespace
}  // namespace octet
