// SPDX-License-Identifier: Apache-2.0

#include "server/tuning/tuning_thread.h"

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace octet {
namespace {

std::string NameOfThisThread() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

TEST(TuningThreadTest, WorkAsideRunsAtTheLowestPriorityAndIsWaitedFor) {
  std::atomic<int> prepared = 0;
  TuningThread tuning([] { return RequestCounts{.entered = 3, .left = 2}; },
                      [&prepared] { ++prepared; });
  EXPECT_EQ(tuning.requests(), (RequestCounts{.entered = 3, .left = 2}));
  std::string name;
  int policy = -1;
  const int own_policy = sched_getscheduler(0);
  tuning.RunAside([&] {
    name = NameOfThisThread();
    policy = sched_getscheduler(0);
  });
  EXPECT_EQ(name, "measure");
  EXPECT_EQ(policy, SCHED_IDLE);
  EXPECT_EQ(prepared, 1);
  EXPECT_EQ(sched_getscheduler(0), own_policy);
}

TEST(TuningThreadTest, StopEndsAWaitAtOnce) {
  TuningThread tuning([] { return RequestCounts{}; }, nullptr);
  std::promise<std::string> name;
  std::promise<void> ended;
  tuning.Start([&] {
    name.set_value(NameOfThisThread());
    while (!tuning.stopped()) tuning.Wait(std::chrono::hours(24));
    ended.set_value();
  });
  EXPECT_EQ(name.get_future().get(), "tuner");
  tuning.Stop();
  ended.get_future().wait();
  tuning.Wait(std::chrono::hours(24));
}

TEST(TuningThreadTest, AChangeWakesItAndStopDoes) {
  TuningThread tuning([] { return RequestCounts{}; }, nullptr);
  std::atomic<int> changes = 0;
  tuning.NotifyChange();  // before it waits
  tuning.Start([&] {
    while (tuning.WaitForChange()) ++changes;
  });
  const auto await = [&changes](int count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (changes < count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(changes, count);
  };
  await(1);
  tuning.NotifyChange();
  await(2);
  tuning.Stop();
}

TEST(TuningThreadTest, StopDoesNotWaitForWhatIsMeasured) {
  std::promise<void> measuring;
  std::promise<void> stop_returned;
  {
    TuningThread tuning([] { return RequestCounts{}; }, nullptr);
    tuning.Start([&] {
      tuning.RunAside([&] {
        measuring.set_value();
        stop_returned.get_future().wait();
        EXPECT_TRUE(tuning.stopped());
      });
    });
    measuring.get_future().wait();
    tuning.Stop();
    stop_returned.set_value();
  }
}

TEST(TuningThreadTest, StopWaitsForWhatIsExchangedAndNothingIsExchangedAfterIt) {
  TuningThread tuning([] { return RequestCounts{}; }, nullptr);
  std::promise<void> exchanging;
  std::atomic<bool> exchanged = false;
  tuning.Start([&] {
    EXPECT_TRUE(tuning.RunUnlessStopped([&] {
      exchanging.set_value();
      while (!tuning.stopped()) std::this_thread::yield();
      exchanged = true;
    }));
  });
  exchanging.get_future().wait();
  tuning.Stop();
  EXPECT_TRUE(exchanged);
  EXPECT_FALSE(tuning.RunUnlessStopped([] { FAIL() << "after it was stopped"; }));
}

}  // namespace
}  // namespace octet
