// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request_queue.h"

#include <algorithm>
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
  const auto place =
      std::upper_bound(waiting_.begin(), waiting_.end(), request->due,
                       [](TimePoint due, const auto& other) { return due < other->due; });
  waiting_.insert(place, std::move(request));
}

RequestQueue::Ahead RequestQueue::AheadOf(const InferenceRequest& request, std::int64_t max_rows,
                                          std::chrono::nanoseconds enough) const {
  std::chrono::nanoseconds of_others{0};
  std::chrono::nanoseconds of_same{0};  // the same executable
  std::int64_t same_rows = 0;
  const std::int64_t room = std::max<std::int64_t>(0, max_rows - request.rows);
  const auto result = [&] {
    const std::int64_t shared = std::min(room, same_rows);
    const std::chrono::nanoseconds before =
        same_rows == 0 ? of_same : of_same * (same_rows - shared) / same_rows;
    return Ahead{.work = of_others + before, .rows_in_batch = shared};
  };
  for (const std::unique_ptr<InferenceRequest>& other : waiting_) {
    if (other->due > request.due || result().work > enough) break;
    if (other->executable == request.executable) {
      of_same += other->least_time;
      same_rows += other->rows;
    } else {
      of_others += other->least_time;
    }
  }
  return result();
}

std::unique_ptr<InferenceRequest> RequestQueue::Take(std::size_t index) {
  std::unique_ptr<InferenceRequest> request = std::move(waiting_[index]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= InputByteSize(*request);
  rows_ -= request->rows;
  return request;
}

std::size_t RequestQueue::FirstBefore(TimePoint before) const {
  std::size_t index = 0;
  while (index < waiting_.size() && waiting_[index]->arrival >= before) ++index;
  return index;
}

bool RequestQueue::HasWork(TimePoint before) const { return FirstBefore(before) < waiting_.size(); }

Batch RequestQueue::TakeBatch(const BatchingPolicy& policy, TimePoint before) {
  Batch batch;
  std::size_t index = FirstBefore(before);
  if (index == waiting_.size()) return batch;
  batch.requests.push_back(Take(index));
  const InferenceRequest& first = *batch.requests.front();
  batch.rows = first.rows;
  batch.bytes = InputByteSize(first);
  if (!TakesBatches(*first.executable)) {
    batch.reason = DispatchReason::kAlone;
    return batch;
  }
  std::size_t seen = 0;
  for (; seen < kLookAhead && index < waiting_.size(); ++seen) {
    const InferenceRequest& next = *waiting_[index];
    const BatchFit fit =
        next.arrival < before ? FitOf(policy, first, batch.rows, next) : BatchFit::kOtherExecutable;
    if (fit == BatchFit::kFits) {
      batch.rows += next.rows;
      batch.bytes += InputByteSize(next);
      batch.requests.push_back(Take(index));
      continue;
    }
    if (fit == BatchFit::kNoRoom) batch.reason = DispatchReason::kFull;
    if (fit == BatchFit::kOtherShape && batch.reason == DispatchReason::kIdle) {
      batch.reason = DispatchReason::kOtherShape;
    }
    ++index;
  }
  return batch;
}

}  // namespace octet
