// SPDX-License-Identifier: Apache-2.0
// The worker threads: they read requests, queue them, and run batches.
//
// Leader and follower: one worker polls the event source; it runs what it read itself. At most
// `compute_threads` workers compute at once, and there is one worker more, so that somebody can
// always poll: a server whose cores are all busy still admits, refuses and answers health checks.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "models/base/mutex.h"
#include "models/runtime/executable.h"
#include "server/metrics/metrics.h"
#include "server/scheduling/batch_time.h"
#include "server/scheduling/batching_policy.h"
#include "server/scheduling/event_source.h"
#include "server/scheduling/request.h"
#include "server/scheduling/request_queue.h"
#include "server/scheduling/worker.h"

namespace octet {

// Thread safety: any thread may call any method, but for Start and Join: one thread.
class Scheduler {
 public:
  struct Options {
    std::size_t compute_threads = 1;  // the CPU budget, at least 1
    RequestQueue::Limits queue = {};
    BatchingPolicy batching = {};
    std::size_t max_answer_bytes = std::size_t{1} << 30;  // outputs of one batch
    std::function<void()> on_thread_start =
        nullptr;  // called by each worker's thread first, if given
  };
  // Workers that Metrics has to expect.
  static constexpr std::size_t NumWorkers(std::size_t compute_threads) {
    return compute_threads + 1;
  }

  // `metrics` is borrowed for as long as the scheduler lives.
  // Precondition: metrics.num_workers() == NumWorkers(options.compute_threads).
  Scheduler(Options options, Metrics& metrics);
  // Joins the threads if they run.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Starts the threads `w:<n>`, which poll `events` until it says kShutDown; it is borrowed until
  // Join.
  void Start(EventSource& events);

  // Returns once the source was shut down and every request that was queued is answered.
  void Join();

  // Returns once every worker has a Session of `executable`, or the first error of making one.
  // Precondition: between Start and the event source's shutdown.
  absl::Status Prepare(std::shared_ptr<const Executable> executable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues a checked request, or answers it with RESOURCE_EXHAUSTED. Called by a worker, whose
  // index is `worker`, while it polls.
  void Submit(std::size_t worker, std::unique_ptr<InferenceRequest> request)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Requests that arrive between now and `until` wait until then; what waits already does not. So
  // that callers that wait for an answer send nothing while their connections are told to go away.
  void HoldArrivals(TimePoint until) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What is known of an executable.
  struct Known {
    std::shared_ptr<const Executable> executable;
    BatchTime time;
  };

  void Work(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the Sessions that worker `index` lacks. Returns whether there were any.
  bool MakeSessions(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs one batch, if this worker may. Returns whether it did.
  bool RunOneBatch(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Polls, if nobody does, or waits to be needed. Returns whether the worker is to go on.
  bool PollOrWait(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Requests that arrived before this may go.
  [[nodiscard]] TimePoint Before(TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether polling on would only delay work that this worker can do.
  bool HasFullBatch() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  Metrics& metrics_;
  EventSource* events_ = nullptr;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar needed_;    // a waiting worker has something to do
  CondVar prepared_;  // a worker made its Sessions
  RequestQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Known> known_ ABSL_GUARDED_BY(mutex_);               // in the order of Prepare
  std::vector<std::size_t> num_prepared_ ABSL_GUARDED_BY(mutex_);  // of known_, by worker
  absl::Status prepare_error_ ABSL_GUARDED_BY(mutex_);
  std::size_t computing_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // workers
  bool polled_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  TimePoint hold_from_ ABSL_GUARDED_BY(mutex_) = kNever;
  TimePoint hold_until_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
