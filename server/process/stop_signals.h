// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT, taken by a thread of their own: no room has to know of them.

#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"

namespace octet {

// One of it in a process, made before any other thread is started. The first signal is for others
// to see; the second ends the process at once, with status 1, whatever they do.
// Thread safety: any thread.
class StopSignals {
 public:
  // Blocks both signals in this thread, and so in all that it starts; ignores SIGPIPE and SIGXFSZ.
  StopSignals();
  // Signals stay blocked.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether the first has come.
  [[nodiscard]] bool HasCome() const { return has_come_.load(); }

  // Returns whether the first has come, once it has, or at `until`.
  bool WaitUntil(std::chrono::steady_clock::time_point until) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Take();

  sigset_t set_{};
  std::atomic<bool> has_come_ = false;
  Mutex mutex_;  // of nothing but the wait
  CondVar changed_;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

}  // namespace octet
