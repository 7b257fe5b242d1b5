// SPDX-License-Identifier: Apache-2.0
// The threads of a server's tuner: one that waits, and now and then one that measures.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"
#include "server/tuning/tuning_environment.h"

namespace octet {

// Thread safety: any thread may call Stop and what the environment's comments say so of; Start and
// the destructor: one thread.
class TuningThread final : public TuningEnvironment {
 public:
  // `requests` takes no lock; `on_thread_start`, where given, is called first by each thread that
  // computes.
  TuningThread(std::function<RequestCounts()> requests, std::function<void()> on_thread_start);
  // Stops, and waits until the thread has ended: for the run of a step, or a compilation, at most.
  ~TuningThread() override;
  TuningThread(const TuningThread&) = delete;
  TuningThread& operator=(const TuningThread&) = delete;

  // Starts the thread `tuner`, which runs `run`. Called at most once.
  void Start(std::function<void()> run);

  // Returns without waiting for what is measured: only what touches the workers is waited for.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, exchange_mutex_);

  // What is served has changed. Any thread may call it.
  void NotifyChange() ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] RequestCounts requests() const override { return requests_(); }
  [[nodiscard]] std::chrono::nanoseconds now() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  [[nodiscard]] bool stopped() const override { return stopped_.load(std::memory_order_relaxed); }
  void Wait(std::chrono::nanoseconds time) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool WaitForChange() override ABSL_LOCKS_EXCLUDED(mutex_);
  // On a thread of its own, `measure`, of the policy SCHED_IDLE: it runs where nobody else wants
  // to. A thread without privileges never gets back from there.
  void RunAside(absl::FunctionRef<void()> work) override;
  bool RunUnlessStopped(absl::FunctionRef<void()> work) override
      ABSL_LOCKS_EXCLUDED(exchange_mutex_);

 private:
  const std::function<RequestCounts()> requests_;
  const std::function<void()> on_thread_start_;
  std::atomic<bool> stopped_ = false;
  Mutex exchange_mutex_;  // held by what runs unless stopped
  Mutex mutex_;
  CondVar woken_;
  bool has_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace octet
