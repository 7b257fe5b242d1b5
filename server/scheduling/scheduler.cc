// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <cassert>
#include <pthread.h>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

using std::chrono::steady_clock;

// Events that one worker reads before it runs what it has read.
constexpr int kMostEventsAtOnce = 256;

}  // namespace

Scheduler::Scheduler(Options options, Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics), queue_(options_.queue) {
  assert(options_.compute_threads >= 1);
  const std::size_t num_workers = NumWorkers(options_.compute_threads);
  assert(metrics.num_workers() == num_workers);
  for (std::size_t i = 0; i < num_workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, options_.max_answer_bytes, metrics_));
  }
  num_prepared_.resize(num_workers);
}

Scheduler::~Scheduler() { Join(); }

void Scheduler::Start(EventSource& events) {
  assert(threads_.empty());
  events_ = &events;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    threads_.emplace_back([this, i] { Work(i); });
    pthread_setname_np(threads_.back().native_handle(), absl::StrCat("w:", i).c_str());
  }
}

void Scheduler::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status Scheduler::Prepare(std::shared_ptr<const Executable> executable) {
  assert(!threads_.empty());
  MutexLock lock(mutex_);
  known_.push_back({std::move(executable), {}});
  const std::size_t wanted = known_.size();
  needed_.NotifyAll();
  events_->Wake();
  while (*std::min_element(num_prepared_.begin(), num_prepared_.end()) < wanted) {
    prepared_.Wait(mutex_);
  }
  return std::exchange(prepare_error_, absl::OkStatus());
}

void Scheduler::Submit(std::size_t worker, std::unique_ptr<InferenceRequest> request) {
  absl::Status room;
  {
    MutexLock lock(mutex_);
    request->admitted = steady_clock::now();
    room = queue_.CheckRoom(*request);
    if (room.ok()) {
      queue_.Push(std::move(request));
      return;
    }
  }
  Refuse(std::move(request), worker, metrics_, std::move(room));
}

void Scheduler::HoldArrivals(TimePoint until) {
  MutexLock lock(mutex_);
  hold_from_ = steady_clock::now();
  hold_until_ = until;
}

TimePoint Scheduler::Before(TimePoint now) const { return now < hold_until_ ? hold_from_ : kNever; }

void Scheduler::Work(std::size_t index) {
  if (options_.on_thread_start) options_.on_thread_start();
  while (true) {
    if (MakeSessions(index)) continue;
    if (RunOneBatch(index)) continue;
    if (!PollOrWait(index)) return;
  }
}

bool Scheduler::MakeSessions(std::size_t index) {
  std::vector<std::shared_ptr<const Executable>> wanted;
  {
    MutexLock lock(mutex_);
    for (std::size_t i = num_prepared_[index]; i < known_.size(); ++i) {
      wanted.push_back(known_[i].executable);
    }
  }
  if (wanted.empty()) return false;
  absl::Status status;
  for (const std::shared_ptr<const Executable>& executable : wanted) {
    status.Update(workers_[index]->Prepare(executable));
  }
  MutexLock lock(mutex_);
  num_prepared_[index] += wanted.size();
  prepare_error_.Update(status);
  prepared_.NotifyAll();
  return true;
}

bool Scheduler::RunOneBatch(std::size_t index) {
  Batch batch;
  std::size_t place = 0;  // of the batch's executable in known_
  {
    MutexLock lock(mutex_);
    if (computing_ == options_.compute_threads) return false;
    const TimePoint before = Before(steady_clock::now());
    batch = queue_.TakeBatch(options_.batching, before);
    if (batch.requests.empty()) return false;
    ++computing_;
    const Executable* const executable = batch.requests.front()->executable.get();
    while (place < known_.size() && known_[place].executable.get() != executable) ++place;
    const std::chrono::nanoseconds expected = place < known_.size()
                                                  ? known_[place].time.Expect(batch.bytes)
                                                  : std::chrono::nanoseconds(0);
    const HandOverCase now = {
        .idle_workers = waiting_,
        .polled = polled_,
        .work_is_waiting = computing_ < options_.compute_threads && queue_.HasWork(before),
        .expected = expected};
    if (WakesAnother(options_.batching, now)) needed_.NotifyOne();
  }
  const std::size_t bytes = batch.bytes;
  const TimePoint start = steady_clock::now();
  const bool all_ran = workers_[index]->Run(std::move(batch));
  const std::chrono::nanoseconds time = steady_clock::now() - start;
  MutexLock lock(mutex_);
  --computing_;
  if (all_ran && place < known_.size()) known_[place].time.Record(bytes, time);
  return true;
}

bool Scheduler::HasFullBatch() {
  MutexLock lock(mutex_);
  return queue_.rows() >= options_.batching.max_rows;
}

bool Scheduler::PollOrWait(std::size_t index) {
  TimePoint until = kNever;
  {
    MutexLock lock(mutex_);
    if (num_prepared_[index] < known_.size()) return true;
    const TimePoint now = steady_clock::now();
    if (computing_ < options_.compute_threads && queue_.HasWork(Before(now))) return true;
    if (shut_down_) {
      if (queue_.empty()) return false;
      // Others compute, or arrivals are held.
      needed_.WaitUntil(mutex_, now + std::chrono::milliseconds(10));
      return true;
    }
    if (polled_) {
      ++waiting_;
      needed_.Wait(mutex_);
      --waiting_;
      return true;
    }
    polled_ = true;
    if (now < hold_until_) until = hold_until_;
  }
  EventSource::Polled polled = events_->Poll(index, until);
  for (int i = 1; i < kMostEventsAtOnce && polled == EventSource::Polled::kHandled; ++i) {
    if (HasFullBatch()) break;
    polled = events_->Poll(index, TimePoint::min());
  }
  MutexLock lock(mutex_);
  polled_ = false;
  if (polled == EventSource::Polled::kShutDown) {
    shut_down_ = true;
    needed_.NotifyAll();
  }
  return true;
}

}  // namespace octet
