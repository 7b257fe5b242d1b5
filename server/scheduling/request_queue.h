// SPDX-License-Identifier: Apache-2.0
// The requests that wait for a worker, the one that is due first in front. Bounded: it refuses, it
// never blocks.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "server/scheduling/batching_policy.h"
#include "server/scheduling/request.h"

namespace octet {

// Requests that run together, in the order in which they are due.
struct Batch {
  std::vector<std::unique_ptr<InferenceRequest>> requests;
  std::int64_t rows = 0;
  std::size_t bytes = 0;  // of input data
  DispatchReason reason = DispatchReason::kIdle;
};

// Ownership: a request in the queue belongs to the queue.
// Thread safety: one thread at a time; the Scheduler's lock guards it.
class RequestQueue {
 public:
  struct Limits {
    std::size_t requests = 4096;
    std::size_t bytes = std::size_t{1} << 30;  // of input data
  };
  explicit RequestQueue(Limits limits) : limits_(limits) {}

  // Returns RESOURCE_EXHAUSTED if a limit would be passed. An empty queue takes any request.
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

  // Takes the request that is due first and those that fit its batch; empty if nothing waits.
  // Requests that arrived at `before` or later stay.
  Batch TakeBatch(const BatchingPolicy& policy, TimePoint before);

  // Whether TakeBatch would take something.
  [[nodiscard]] bool HasWork(TimePoint before) const;
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  // Rows that wait, of all requests.
  [[nodiscard]] std::int64_t rows() const { return rows_; }

 private:
  std::unique_ptr<InferenceRequest> Take(std::size_t index);
  // The place of the first request that arrived before `before`, or the queue's size.
  [[nodiscard]] std::size_t FirstBefore(TimePoint before) const;

  const Limits limits_;
  std::deque<std::unique_ptr<InferenceRequest>> waiting_;
  std::size_t bytes_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace octet
