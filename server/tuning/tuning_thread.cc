// SPDX-License-Identifier: Apache-2.0

#include "server/tuning/tuning_thread.h"

#include <pthread.h>
#include <sched.h>
#include <utility>

namespace octet {

TuningThread::TuningThread(std::function<RequestCounts()> requests,
                           std::function<void()> on_thread_start)
    : requests_(std::move(requests)), on_thread_start_(std::move(on_thread_start)) {}

TuningThread::~TuningThread() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void TuningThread::Start(std::function<void()> run) {
  thread_ = std::thread([run = std::move(run)] {
    pthread_setname_np(pthread_self(), "tuner");
    run();
  });
}

void TuningThread::Stop() {
  // At once for what is measured, and only then for what is exchanged.
  stopped_.store(true, std::memory_order_relaxed);
  { MutexLock lock(exchange_mutex_); }
  MutexLock lock(mutex_);
  woken_.NotifyAll();
}

void TuningThread::Wait(std::chrono::nanoseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  MutexLock lock(mutex_);
  while (!stopped() && std::chrono::steady_clock::now() < until) woken_.WaitUntil(mutex_, until);
}

bool TuningThread::WaitForChange() {
  MutexLock lock(mutex_);
  while (!stopped() && !has_changed_) woken_.Wait(mutex_);
  has_changed_ = false;
  return !stopped();
}

void TuningThread::NotifyChange() {
  MutexLock lock(mutex_);
  has_changed_ = true;
  woken_.NotifyAll();
}

void TuningThread::RunAside(absl::FunctionRef<void()> work) {
  std::thread thread([this, work] {
    pthread_setname_np(pthread_self(), "measure");
    const sched_param priority = {};
    // Where it is refused the work is done all the same.
    static_cast<void>(pthread_setschedparam(pthread_self(), SCHED_IDLE, &priority));
    if (on_thread_start_) on_thread_start_();
    work();
  });
  thread.join();
}

bool TuningThread::RunUnlessStopped(absl::FunctionRef<void()> work) {
  MutexLock lock(exchange_mutex_);
  if (stopped()) return false;
  work();
  return true;
}

}  // namespace octet
