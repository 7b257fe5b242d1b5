// SPDX-License-Identifier: Apache-2.0
// The worker threads: they read requests, queue them, and run batches.
//
// Leader and follower: one worker polls the event source; it runs what it read itself. At most
// `compute_threads` workers compute at once, and there is one worker more, so that somebody can
// always poll: a server whose cores are all busy still admits, refuses and answers health checks.
//
// The worker that takes a batch owns it. A batch that takes long enough is offered in parts of its
// rows (PartRows): its owner takes one after another and never waits for anybody, workers that have
// nothing else to do take of them meanwhile, and whoever finishes the last part answers. Requests
// go first: a helper gives up its part, between two steps of the model, if one waits that no other
// worker may compute. The owner makes way between two parts: the next is due as though it had come
// when the one before ended, so that a large request takes its turn with those that came meanwhile.

#pragma once

#include <atomic>
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
#include "server/scheduling/batch_progress.h"
#include "server/scheduling/batch_run.h"
#include "server/scheduling/batch_time.h"
#include "server/scheduling/batching_policy.h"
#include "server/scheduling/event_source.h"
#include "server/scheduling/queue_policy.h"
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
    QueuePolicy waiting = {};
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
  absl::Status Prepare(std::shared_ptr<const Executable> executable)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Returns once no worker has a Session of `executable`, which was prepared, any more.
  // Preconditions: as of Prepare; no request of it is in the server, and none will come.
  void Retire(const std::shared_ptr<const Executable>& executable)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Batches of several requests of `executable`, which was prepared, have no more rows from now on
  // than `rows`, at least 1, unless its model's settings say otherwise.
  void LimitBatches(const Executable& executable, std::int64_t rows) ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues a checked request; or answers it, with RESOURCE_EXHAUSTED where the queue is full, with
  // DEADLINE_EXCEEDED where it would wait past its deadline. Called by a worker, whose index is
  // `worker`, while it polls.
  void Submit(std::size_t worker, std::unique_ptr<InferenceRequest> request)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on at most so many workers compute at once, at least 1 and at most as many as were
  // started; those that compute beyond it end what they do first.
  void SetComputeThreads(std::size_t count) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::size_t compute_threads() ABSL_LOCKS_EXCLUDED(mutex_);

  // Requests that arrive between now and `until` wait until then; what waits already does not. So
  // that callers that wait for an answer send nothing while their connections are told to go away.
  void HoldArrivals(TimePoint until) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Of what each worker is to make a Session, or to give it up.
  struct SessionChange {
    std::shared_ptr<const Executable> executable;
    bool is_retired = false;
  };

  // What is known of an executable.
  struct Known {
    std::shared_ptr<const Executable> executable;  // null: retired
    bool takes_batches = false;
    std::size_t weight_bytes = 0;
    std::int64_t paying_rows = 0;  // 0: not measured
    BatchTime time;
  };

  // A batch that computes; it has a place in `runs_` too.
  struct Active {
    explicit Active(std::size_t max_helpers) : progress(max_helpers) {}
    BatchProgress progress;
    bool owner_computes = false;           // and so takes parts that are given back
    std::size_t known = 0;                 // place in known_, or its size
    std::chrono::nanoseconds expected{0};  // of all rows on one worker; 0: not known
    TimePoint start;
    TimePoint part_end;  // as is expected; of the whole batch where it is not in parts
    // Of a batch that no worker computes, because other requests went first: when its next part is
    // due. Else kNever.
    TimePoint due_again = kNever;
    bool is_active = false;
  };

  void Work(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Has every worker make the change, and waits for the last.
  void MakeChange(SessionChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the changes that worker `index` has not made yet. Returns whether there were any.
  bool ChangeSessions(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs one batch, if this worker may. Returns whether it did.
  bool RunOneBatch(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  void RunWhole(std::size_t index, std::size_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  void RunInParts(std::size_t index, std::size_t place, std::int64_t part_rows)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `part` of the batch at `place` and those that are left, as its owner, until other requests
  // go first.
  void RunParts(std::size_t index, std::size_t place, RowRange part) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the owner of the batch at `place`, which has a part left, leaves it for now.
  [[nodiscard]] bool MakesWay(std::size_t place, TimePoint now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The place of the batch that made way and is due first, if it is due before `due`; else
  // active_.size().
  [[nodiscard]] std::size_t MadeWayBefore(TimePoint due) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs one part of another's batch, if this worker may. Returns whether it did.
  bool HelpOneBatch(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers a batch whose rows are all computed, or one of which failed.
  void Finish(std::size_t index, std::size_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a helper must not compute `part` to its end: it is given back then.
  bool GivesUp(std::size_t place, RowRange part) ABSL_LOCKS_EXCLUDED(mutex_);

  // Place in known_ of what was prepared, or its size.
  [[nodiscard]] std::size_t PlaceOf(const Executable& executable) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // DEADLINE_EXCEEDED if `request` would wait past its deadline.
  [[nodiscard]] absl::Status CheckWait(const InferenceRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // For a batch just taken from the queue. Returns its place.
  std::size_t Activate(Batch batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The worker that had the last of a batch is free. `time` is what its `byte_size` of inputs took
  // on one worker; 0 bytes: nobody knows.
  void Release(std::size_t place, std::size_t byte_size, std::chrono::nanoseconds time)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How many rows of the batch at `place` are a part.
  [[nodiscard]] std::int64_t ChoosePartRows(std::size_t place, RequestQueue::Moment moment) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes a part of the batch at `place`, and wakes another worker for the next.
  RowRange TakePart(std::size_t place, RequestQueue::Moment moment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes `offered_` right, after the parts of the batch at `place` changed.
  void UpdateOffer(std::size_t place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes another worker, if the policy wants, now that this one runs a batch `expected` to last.
  void HandOver(std::chrono::nanoseconds expected, RequestQueue::Moment moment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks a helper to stop, if a request waits and all workers that may compute do.
  void CallHelpersBack(RequestQueue::Moment moment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Polls, if nobody does, or waits to be needed. Returns whether the worker is to go on.
  bool PollOrWait(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  // Which requests may go at `now`.
  [[nodiscard]] RequestQueue::Moment MomentAt(TimePoint now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether polling on would only delay work that this worker can do.
  bool HasFullBatch() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  Metrics& metrics_;
  EventSource* events_ = nullptr;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  // By place. A batch belongs to the worker that activated it, while it is offered to all, and at
  // last to the one that completed its progress.
  std::vector<std::unique_ptr<BatchRun>> runs_;

  Mutex change_mutex_;  // one change at a time; taken before the other
  Mutex mutex_;
  CondVar needed_;   // a waiting worker has something to do
  CondVar changed_;  // a worker changed its Sessions
  RequestQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Known> known_ ABSL_GUARDED_BY(mutex_);
  std::vector<SessionChange> changes_ ABSL_GUARDED_BY(mutex_);    // at most one
  std::vector<std::size_t> num_changes_ ABSL_GUARDED_BY(mutex_);  // made of them, by worker
  absl::Status prepare_error_ ABSL_GUARDED_BY(mutex_);
  // Twice as many places as may compute: a batch that is active is computed, or has made way.
  std::vector<Active> active_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::size_t> free_places_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::size_t> offered_ ABSL_GUARDED_BY(mutex_);  // places with a part to take
  std::size_t num_made_way_ ABSL_GUARDED_BY(mutex_) = 0;      // of those, without an owner
  std::size_t computing_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t compute_limit_ ABSL_GUARDED_BY(mutex_);  // of them, up to compute_threads
  std::size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;    // workers
  bool polled_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  TimePoint hold_from_ ABSL_GUARDED_BY(mutex_) = kNever;
  TimePoint hold_until_ ABSL_GUARDED_BY(mutex_);

  // A hint, so that helpers need no lock to see that they may go on.
  std::atomic<bool> helpers_called_back_ = false;
};

}  // namespace octet
