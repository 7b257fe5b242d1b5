// SPDX-License-Identifier: Apache-2.0
// The requests that wait for a worker, first in, first out. Bounded: it refuses, it never blocks.

#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "server/scheduling/batching_policy.h"
#include "server/scheduling/request.h"

namespace octet {

// Requests that run together, in the order of their arrival.
struct Batch {
  std::vector<std::unique_ptr<InferenceRequest>> requests;
  std::int64_t rows = 0;
  std::size_t bytes = 0;  // of input data
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
  // Precondition: CheckRoom(*request) is OK.
  void Push(std::unique_ptr<InferenceRequest> request);

  // Takes the oldest request and those that fit its batch; empty if nothing waits. Requests that
  // arrived at `before` or later stay.
  Batch TakeBatch(const BatchingPolicy& policy, TimePoint before);

  // Whether TakeBatch would take something.
  [[nodiscard]] bool HasWork(TimePoint before) const;
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  // Rows that wait, of all requests.
  [[nodiscard]] std::int64_t rows() const { return rows_; }

 private:
  std::unique_ptr<InferenceRequest> Take(std::size_t index);

  const Limits limits_;
  std::deque<std::unique_ptr<InferenceRequest>> waiting_;
  std::size_t bytes_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace octet
