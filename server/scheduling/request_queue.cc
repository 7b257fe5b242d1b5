// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

// A batch looks this far behind its first request: a long queue of other models must not make each
// batch slow to form.
constexpr std::size_t kLookAhead = 256;

}  // namespace

absl::Status RequestQueue::CheckRoom(const InferenceRequest& request) const {
  if (waiting_.empty()) return absl::OkStatus();
  if (waiting_.size() >= limits_.requests) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", waiting_.size(),
                                                     " requests wait, ", limits_.requests,
                                                     " may; back off and retry"));
  }
  const std::size_t bytes = InputByteSize(request);
  if (bytes > limits_.bytes || bytes_ > limits_.bytes - bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", bytes_,
                                                     " bytes of inputs wait, ", limits_.bytes,
                                                     " may; back off and retry"));
  }
  return absl::OkStatus();
}

void RequestQueue::Push(std::unique_ptr<InferenceRequest> request) {
  bytes_ += InputByteSize(*request);
  rows_ += request->rows;
  waiting_.push_back(std::move(request));
}

std::unique_ptr<InferenceRequest> RequestQueue::Take(std::size_t index) {
  std::unique_ptr<InferenceRequest> request = std::move(waiting_[index]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= InputByteSize(*request);
  rows_ -= request->rows;
  return request;
}

bool RequestQueue::HasWork(TimePoint before) const {
  // First in, first out: arrivals ascend but for the microseconds in which they are read.
  return !waiting_.empty() && waiting_.front()->arrival < before;
}

Batch RequestQueue::TakeBatch(const BatchingPolicy& policy, TimePoint before) {
  Batch batch;
  if (!HasWork(before)) return batch;
  batch.requests.push_back(Take(0));
  const InferenceRequest& first = *batch.requests.front();
  batch.rows = first.rows;
  batch.bytes = InputByteSize(first);
  if (!TakesBatches(*first.executable)) return batch;
  std::size_t index = 0;
  for (std::size_t seen = 0; seen < kLookAhead && index < waiting_.size(); ++seen) {
    const InferenceRequest& next = *waiting_[index];
    if (next.arrival < before && FitsBatch(policy, first, batch.rows, next)) {
      batch.rows += next.rows;
      batch.bytes += InputByteSize(next);
      batch.requests.push_back(Take(index));
    } else {
      ++index;
    }
  }
  return batch;
}

}  // namespace octet
