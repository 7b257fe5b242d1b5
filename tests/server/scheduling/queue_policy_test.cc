// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/queue_policy.h"

#include <vector>

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(QueuePolicyTest, DueAtItsDeadlineOrWhenPatienceEnds) {
  const QueuePolicy policy = {.patience = milliseconds(100)};
  const TimePoint arrival = TimePoint(milliseconds(1000));
  EXPECT_EQ(DueTime(policy, arrival, arrival + milliseconds(20)), arrival + milliseconds(20));
  EXPECT_EQ(DueTime(policy, arrival, arrival + milliseconds(500)), arrival + milliseconds(100));
  EXPECT_EQ(DueTime(policy, arrival, kNever), arrival + milliseconds(100));
}

TEST(QueuePolicyTest, WaitIsWhatTheWorkTakesWhenItIsSharedOut) {
  struct Case {
    std::vector<nanoseconds> busy;
    nanoseconds work;
    nanoseconds wait;
  };
  const std::vector<Case> cases = {
      {{nanoseconds(0)}, nanoseconds(0), nanoseconds(0)},
      {{nanoseconds(0)}, nanoseconds(70), nanoseconds(70)},
      {{nanoseconds(30)}, nanoseconds(70), nanoseconds(100)},
      {{nanoseconds(0), nanoseconds(0)}, nanoseconds(70), nanoseconds(35)},
      // The first worker that is free takes the request.
      {{nanoseconds(90), nanoseconds(20)}, nanoseconds(0), nanoseconds(20)},
      {{nanoseconds(90), nanoseconds(20)}, nanoseconds(50), nanoseconds(70)},
      {{nanoseconds(90), nanoseconds(20)}, nanoseconds(90), nanoseconds(100)},
      {{nanoseconds(40), nanoseconds(10), nanoseconds(20)}, nanoseconds(80), nanoseconds(50)},
      {{nanoseconds(5)}, nanoseconds(-1), nanoseconds(5)},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ExpectedWait({.busy = c.busy, .work = c.work}), c.wait)
        << c.busy.size() << " workers, " << c.work.count() << " ns";
  }
}

TEST(QueuePolicyTest, InTimeKeepsAReserve) {
  const QueuePolicy policy = {.reserve = 0.25};
  EXPECT_TRUE(IsInTime(policy, nanoseconds(50), nanoseconds(30), nanoseconds(100)));
  EXPECT_FALSE(IsInTime(policy, nanoseconds(50), nanoseconds(31), nanoseconds(100)));
  EXPECT_TRUE(IsInTime(policy, nanoseconds(0), nanoseconds(0), nanoseconds(0)));
}

}  // namespace
}  // namespace octet
