// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/posted_work.h"

#include <utility>

namespace octet {

bool PostedWork::Post(Task task) {
  bool was_empty = false;
  {
    MutexLock lock(mutex_);
    if (is_shut_down_) return false;
    was_empty = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  // Who takes the first looks for the second before it waits.
  if (was_empty) events_.Wake();
  return true;
}

PostedWork::Task PostedWork::Take() {
  MutexLock lock(mutex_);
  if (tasks_.empty()) return nullptr;
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

EventSource::Polled PostedWork::Poll(std::size_t worker, TimePoint until) {
  if (is_its_turn_) {
    is_its_turn_ = false;
    const Polled polled = events_.Poll(worker, TimePoint::min());
    if (polled == Polled::kShutDown) return End(worker);
    if (polled == Polled::kHandled) return polled;
  }
  if (const Task task = Take()) {
    is_its_turn_ = true;
    task(worker);
    return Polled::kHandled;
  }
  const Polled polled = events_.Poll(worker, until);
  return polled == Polled::kShutDown ? End(worker) : polled;
}

EventSource::Polled PostedWork::End(std::size_t worker) {
  {
    MutexLock lock(mutex_);
    is_shut_down_ = true;
  }
  while (const Task task = Take()) task(worker);
  return Polled::kShutDown;
}

}  // namespace octet
