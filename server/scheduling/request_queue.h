// SPDX-License-Identifier: Apache-2.0
// The requests that wait for a worker, the one that is due first in front. Bounded: it refuses, it
// never blocks.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "server/scheduling/batching_policy.h"
#include "server/scheduling/queue_policy.h"
#include "server/scheduling/request.h"

namespace octet {

// Requests that run together, in the order in which they are due.
struct Batch {
  std::vector<std::unique_ptr<InferenceRequest>> requests;
  std::int64_t rows = 0;
  std::int64_t positions = 0;  // BatchSize
  std::int64_t max_rows = 1;   // that it might have had, of such lengths (MaxBatchSize)
  std::size_t bytes = 0;       // of input data
  DispatchReason reason = DispatchReason::kIdle;
};

// Adds `request`, which fits.
void Append(std::unique_ptr<InferenceRequest> request, Batch& batch);

// Ownership: a request in the queue belongs to the queue.
// Thread safety: one thread at a time; the Scheduler's lock guards it.
class RequestQueue {
 public:
  struct Limits {
    std::size_t requests = 4096;
    std::size_t bytes = std::size_t{1} << 30;  // of input data
  };
  struct Policies {
    BatchingPolicy batching = {};
    QueuePolicy waiting = {};
  };
  explicit RequestQueue(Limits limits) : RequestQueue(limits, Policies()) {}
  RequestQueue(Limits limits, Policies policies) : limits_(limits), policies_(policies) {}

  // Returns RESOURCE_EXHAUSTED if a limit would be passed, of the queue or of the request's model
  // and level. An empty queue takes any request.
  [[nodiscard]] absl::Status CheckRoom(const InferenceRequest& request) const;
  // Precondition: CheckRoom(*request) is OK. Requests that are due at the same time keep their
  // order.
  void Push(std::unique_ptr<InferenceRequest> request);

  // What `request`, which is not in the queue, finds before it: what is due no later. Its batch has
  // at most `max_rows`. As soon as the work is more than `enough`, the rest is not looked at.
  struct Ahead {
    std::chrono::nanoseconds work{0};  // of one worker at the least, but for those in its batch
    std::int64_t rows_in_batch = 0;    // that can go with it
  };
  [[nodiscard]] Ahead AheadOf(const InferenceRequest& request, std::int64_t max_rows,
                              std::chrono::nanoseconds enough) const;

  // What may go: requests that arrived before `before`, if those of their batch need not wait for
  // more at `now`.
  struct Moment {
    TimePoint now = kNever;
    TimePoint before = kNever;
  };
  // Takes the request that is due first and those that fit its batch; empty if nothing may go.
  Batch TakeBatch(Moment moment);
  // Whether TakeBatch would take something.
  [[nodiscard]] bool HasWork(Moment moment) const { return DueAt(moment) != kNever; }
  // When what TakeBatch would take is due; kNever: nothing.
  [[nodiscard]] TimePoint DueAt(Moment moment) const;
  // The time after `moment` at which something may go that may not now; kNever if there is none.
  [[nodiscard]] TimePoint NextRipe(Moment moment) const;

  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  // Rows that wait, of all requests.
  [[nodiscard]] std::int64_t rows() const { return rows_; }

 private:
  // Of one model: a settings object is one model's.
  using Level = std::pair<const ModelScheduling*, std::uint32_t>;

  // What TakeBatch would take: places, ascending.
  struct Formed {
    std::vector<std::size_t> places;
    DispatchReason reason = DispatchReason::kIdle;
  };
  // Empty where nothing may go.
  [[nodiscard]] Formed Form(Moment moment) const;
  // What may share a batch with the request at `place`, itself first.
  [[nodiscard]] Formed Gather(std::size_t place, Moment moment) const;
  [[nodiscard]] bool IsUnripe(const InferenceRequest& request, Moment moment) const;
  // Whether so many wait at the request's level as its model's settings allow.
  [[nodiscard]] std::size_t LevelLimit(const InferenceRequest& request) const;
  void Insert(std::unique_ptr<InferenceRequest> request);
  // Puts those behind the others whose queue timeout has passed, as far as they stand in front.
  void Delay(TimePoint now);
  std::unique_ptr<InferenceRequest> Take(std::size_t place);

  const Limits limits_;
  const Policies policies_;
  std::deque<std::unique_ptr<InferenceRequest>> waiting_;
  std::map<Level, std::size_t> num_of_level_;  // of those with a limit of their own
  std::size_t bytes_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace octet
