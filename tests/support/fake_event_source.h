// SPDX-License-Identifier: Apache-2.0
// An event source of functions that a test posts.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"

#include "models/base/mutex.h"
#include "server/scheduling/event_source.h"

namespace octet::testing {

class FakeEventSource final : public EventSource {
 public:
  using Event = std::function<void(std::size_t worker)>;

  Polled Poll(std::size_t worker, TimePoint until) override {
    EXPECT_EQ(polling_.fetch_add(1), 0) << "two workers poll at once";
    const Polled polled = PollAlone(worker, until);
    polling_.fetch_sub(1);
    return polled;
  }
  void Wake() override {
    Post([](std::size_t) {});
  }
  void Post(Event event) {
    MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.NotifyAll();
  }
  // Returns once every event is handled and a worker has looked at what they brought: it waits for
  // the next. Returns false if that has not happened at `until`.
  bool AwaitIdle(TimePoint until) {
    MutexLock lock(mutex_);
    while (!events_.empty() || !is_waited_for_) {
      if (std::chrono::steady_clock::now() >= until) return false;
      changed_.WaitUntil(mutex_, until);
    }
    return true;
  }
  void ShutDown() {
    MutexLock lock(mutex_);
    shut_down_ = true;
    changed_.NotifyAll();
  }

 private:
  Polled PollAlone(std::size_t worker, TimePoint until) {
    Event event;
    {
      MutexLock lock(mutex_);
      while (events_.empty()) {
        if (shut_down_) return Polled::kShutDown;
        is_waited_for_ = std::chrono::steady_clock::now() < until;
        if (!is_waited_for_) return Polled::kTimedOut;
        changed_.NotifyAll();
        if (until == kNever) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitUntil(mutex_, until);
        }
      }
      is_waited_for_ = false;
      event = std::move(events_.front());
      events_.pop_front();
    }
    event(worker);
    return Polled::kHandled;
  }

  std::atomic<int> polling_ = 0;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool is_waited_for_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace octet::testing
