// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/posted_work.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/fake_event_source.h"

namespace octet {
namespace {

using Polled = EventSource::Polled;
constexpr TimePoint kNow = TimePoint::min();

class PostedWorkTest : public ::testing::Test {
 protected:
  PostedWork::Task Note(char name) {
    return [this, name](std::size_t worker) {
      done_ += name;
      workers_.push_back(worker);
    };
  }

  std::string done_;
  std::vector<std::size_t> workers_;
  testing::FakeEventSource events_;
  PostedWork work_{events_};
};

TEST_F(PostedWorkTest, RunsOnceOnThePollingWorkerInOrder) {
  EXPECT_EQ(work_.Poll(0, kNow), Polled::kTimedOut);
  EXPECT_TRUE(work_.Post(Note('a')));
  EXPECT_TRUE(work_.Post(Note('b')));
  while (work_.Poll(3, kNow) == Polled::kHandled) {
  }
  EXPECT_EQ(done_, "ab");
  EXPECT_EQ(workers_, (std::vector<std::size_t>{3, 3}));
}

TEST_F(PostedWorkTest, WakesAPollThatWaits) {
  EXPECT_TRUE(work_.Post(Note('a')));
  // The source has an event to wake up by, beside the task.
  EXPECT_EQ(work_.Poll(0, kNever), Polled::kHandled);
  EXPECT_EQ(work_.Poll(0, kNever), Polled::kHandled);
  EXPECT_EQ(done_, "a");
}

TEST_F(PostedWorkTest, TakesTurnsWithTheEvents) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(work_.Post(Note('t')));
    events_.Post(Note('e'));
  }
  while (work_.Poll(0, kNow) == Polled::kHandled) {
  }
  EXPECT_EQ(done_, "ttetee") << "the first event is what woke the source";
}

TEST_F(PostedWorkTest, DoesWhatWasPostedBeforeTheEndAndTakesNoMore) {
  EXPECT_TRUE(work_.Post(Note('a')));
  EXPECT_TRUE(work_.Post(Note('b')));
  events_.ShutDown();
  Polled polled = Polled::kHandled;
  while (polled == Polled::kHandled) polled = work_.Poll(0, kNow);
  EXPECT_EQ(polled, Polled::kShutDown);
  EXPECT_EQ(done_, "ab");
  EXPECT_FALSE(work_.Post(Note('c')));
  EXPECT_EQ(work_.Poll(0, kNow), Polled::kShutDown);
  EXPECT_EQ(done_, "ab");
}

}  // namespace
}  // namespace octet
