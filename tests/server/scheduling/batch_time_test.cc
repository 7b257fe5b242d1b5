// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/batch_time.h"

#include <chrono>

#include "gtest/gtest.h"

namespace octet {
namespace {

using namespace std::chrono_literals;

TEST(BatchTimeTest, NothingIsKnownBeforeTheFirst) { EXPECT_EQ(BatchTime().Expect(100), 0ns); }

TEST(BatchTimeTest, TimeGrowsWithTheBytes) {
  BatchTime time;
  time.Record(1000, 10us);
  EXPECT_EQ(time.Expect(1000), 10us);
  EXPECT_EQ(time.Expect(100), 1us);
  EXPECT_EQ(time.Expect(2000), 20us);
}

TEST(BatchTimeTest, LeastIsThatOfTheBestBatches) {
  BatchTime time;
  EXPECT_EQ(time.Least(100), 0ns);
  time.Record(1000, 10us);
  time.Record(8000, 16us);
  EXPECT_EQ(time.Least(1000), 2us);
  EXPECT_EQ(time.Least(100'000), 200us);
}

TEST(BatchTimeTest, WhatIsMuchLargerIsNotKnown) {
  BatchTime time;
  time.Record(1000, 10us);
  EXPECT_EQ(time.Expect(2002), 0ns);
  time.Record(1'000'000, 1s);
  EXPECT_GT(time.Expect(2000), 0ns);
}

TEST(BatchTimeTest, SmallBatchesSayNothingOfALargeOne) {
  BatchTime time;
  time.Record(64'000, 24us);
  for (int i = 0; i < 100; ++i) time.Record(1000, 6us);
  EXPECT_EQ(time.Expect(64'000), 24us);
  EXPECT_EQ(time.Expect(1000), 6us);
  EXPECT_EQ(time.Expect(32'000), 12us) << "by the next larger one";
  EXPECT_EQ(time.Expect(100'000), 37'500ns) << "by the largest one";
}

TEST(BatchTimeTest, FollowsASlowerMachine) {
  BatchTime time;
  time.Record(1000, 10us);
  for (int i = 0; i < 100; ++i) time.Record(1000, 40us);
  EXPECT_GT(time.Expect(1000), 39us);
}

}  // namespace
}  // namespace octet
