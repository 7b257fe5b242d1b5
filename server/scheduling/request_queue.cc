// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/request_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

// A batch looks this far behind its first request: a long queue of other models must not make each
// batch slow to form.
constexpr std::size_t kLookAhead = 256;

// How many rows a batch would have if it were as large as `most`, of the lengths that it has.
std::int64_t RowsWhereFull(const BatchSize& size, const BatchSize& most) {
  if (size.positions == 0) return most.rows;
  const double share = static_cast<double>(most.positions) / static_cast<double>(size.positions);
  const double rows = static_cast<double>(size.rows) * std::max(share, 1.0);
  return std::min(std::max(most.rows, size.rows), static_cast<std::int64_t>(rows));
}

}  // namespace

void Append(std::unique_ptr<InferenceRequest> request, Batch& batch) {
  const BatchSize size = SizeOf(*request);
  batch.rows += size.rows;
  batch.positions += size.positions;
  batch.bytes += InputByteSize(*request);
  batch.requests.push_back(std::move(request));
}

std::size_t RequestQueue::LevelLimit(const InferenceRequest& request) const {
  return request.scheduling == nullptr ? 0
                                       : PolicyOf(*request.scheduling, request.level).max_requests;
}

absl::Status RequestQueue::CheckRoom(const InferenceRequest& request) const {
  if (const std::size_t limit = LevelLimit(request); limit > 0) {
    const auto found = num_of_level_.find({request.scheduling, request.level});
    if (found != num_of_level_.end() && found->second >= limit) {
      const std::string level =
          request.level > 0 ? absl::StrCat(" at priority level ", request.level) : "";
      return absl::ResourceExhaustedError(absl::StrCat("the model's queue is full: ", found->second,
                                                       " requests wait", level, ", ", limit,
                                                       " may; back off and retry"));
    }
  }
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

void RequestQueue::Insert(std::unique_ptr<InferenceRequest> request) {
  const auto place =
      std::upper_bound(waiting_.begin(), waiting_.end(), request->due,
                       [](TimePoint due, const auto& other) { return due < other->due; });
  waiting_.insert(place, std::move(request));
}

void RequestQueue::Push(std::unique_ptr<InferenceRequest> request) {
  bytes_ += InputByteSize(*request);
  rows_ += request->rows;
  if (LevelLimit(*request) > 0) ++num_of_level_[{request->scheduling, request->level}];
  Insert(std::move(request));
}

RequestQueue::Ahead RequestQueue::AheadOf(const InferenceRequest& request, std::int64_t max_rows,
                                          std::chrono::nanoseconds enough) const {
  std::chrono::nanoseconds of_others{0};
  std::chrono::nanoseconds of_same{0};  // the same executable
  std::int64_t same_rows = 0;
  const std::int64_t room = std::max<std::int64_t>(0, max_rows - request.rows);
  const auto result = [&] {
    const std::int64_t shared = std::min(room, same_rows);
    // Not in integers, which so many rows and nanoseconds could overflow.
    const double before = same_rows == 0 ? 0
                                         : static_cast<double>(of_same.count()) /
                                               static_cast<double>(same_rows) *
                                               static_cast<double>(same_rows - shared);
    const std::chrono::nanoseconds same_before(static_cast<std::int64_t>(before));
    return Ahead{.work = of_others + same_before, .rows_in_batch = shared};
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

std::unique_ptr<InferenceRequest> RequestQueue::Take(std::size_t place) {
  std::unique_ptr<InferenceRequest> request = std::move(waiting_[place]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(place));
  bytes_ -= InputByteSize(*request);
  rows_ -= request->rows;
  if (LevelLimit(*request) > 0) {
    const auto level = num_of_level_.find({request->scheduling, request->level});
    if (--level->second == 0) num_of_level_.erase(level);
  }
  return request;
}

bool RequestQueue::IsUnripe(const InferenceRequest& request, Moment moment) const {
  return request.ripe_at > moment.now;
}

RequestQueue::Formed RequestQueue::Gather(std::size_t place, Moment moment) const {
  const InferenceRequest& first = *waiting_[place];
  Formed formed{.places = {place}, .reason = DispatchReason::kIdle};
  if (!first.executable->takes_batches()) {
    formed.reason = DispatchReason::kAlone;
    return formed;
  }
  BatchSize total = SizeOf(first);
  bool is_ripe = !IsUnripe(first, moment);
  const std::size_t end = std::min(waiting_.size(), place + 1 + kLookAhead);
  for (std::size_t i = place + 1; i < end; ++i) {
    const InferenceRequest& next = *waiting_[i];
    if (next.arrival >= moment.before) continue;
    const BatchFit fit = FitOf(policies_.batching, first, total, next);
    if (fit == BatchFit::kFits) {
      AddTo(total, next);
      formed.places.push_back(i);
      is_ripe |= !IsUnripe(next, moment);
    } else if (fit == BatchFit::kNoRoom) {
      formed.reason = DispatchReason::kFull;
    } else if (fit == BatchFit::kOtherShape && formed.reason == DispatchReason::kIdle) {
      formed.reason = DispatchReason::kOtherShape;
    }
  }
  if (first.scheduling == nullptr) return formed;
  std::vector<std::int64_t> rows;
  for (const std::size_t each : formed.places) rows.push_back(waiting_[each]->rows);
  const BatchSize most = MaxBatchSize(policies_.batching, first);
  const bool is_full =
      total.rows >= most.rows || (most.positions > 0 && total.positions >= most.positions);
  const BatchChoice choice =
      ChooseBatch({.rows = rows,
                   .preferred_rows = first.scheduling->preferred_rows,
                   .limited_by = is_full ? DispatchReason::kFull : formed.reason,
                   .may_wait = first.scheduling->max_queue_delay.count() > 0,
                   .is_ripe = is_ripe});
  formed.places.resize(choice.num_requests);
  formed.reason = choice.reason;
  return formed;
}

RequestQueue::Formed RequestQueue::Form(Moment moment) const {
  std::vector<bool> waits;  // for more, with one before it
  for (std::size_t place = 0; place < waiting_.size(); ++place) {
    const InferenceRequest& first = *waiting_[place];
    if (first.arrival >= moment.before || (!waits.empty() && waits[place])) continue;
    Formed formed = Gather(place, moment);
    if (!formed.places.empty()) return formed;
    waits.resize(waiting_.size());
    const std::size_t end = std::min(waiting_.size(), place + 1 + kLookAhead);
    BatchSize size = SizeOf(first);
    for (std::size_t i = place + 1; i < end; ++i) {
      if (FitOf(policies_.batching, first, size, *waiting_[i]) != BatchFit::kFits) continue;
      AddTo(size, *waiting_[i]);
      waits[i] = true;
    }
  }
  return {};
}

TimePoint RequestQueue::DueAt(Moment moment) const {
  for (std::size_t place = 0; place < waiting_.size(); ++place) {
    const InferenceRequest& first = *waiting_[place];
    if (first.arrival >= moment.before) continue;
    // What need not wait is not asked with whom it goes.
    if (!IsUnripe(first, moment)) return first.due;
    const Formed formed = Form(moment);
    return formed.places.empty() ? kNever : waiting_[formed.places.front()]->due;
  }
  return kNever;
}

TimePoint RequestQueue::NextRipe(Moment moment) const {
  TimePoint next = kNever;
  for (const std::unique_ptr<InferenceRequest>& request : waiting_) {
    if (IsUnripe(*request, moment) && request->arrival < moment.before) {
      next = std::min(next, request->ripe_at);
    }
  }
  return next;
}

void RequestQueue::Delay(TimePoint now) {
  while (!waiting_.empty() && waiting_.front()->delay_at != kNever &&
         waiting_.front()->delay_at <= now) {
    std::unique_ptr<InferenceRequest> request = std::move(waiting_.front());
    waiting_.pop_front();
    request->due = DelayedDueTime(policies_.waiting, std::exchange(request->delay_at, kNever),
                                  LevelsBehind(*request->scheduling, request->level));
    Insert(std::move(request));
  }
}

Batch RequestQueue::TakeBatch(Moment moment) {
  Delay(moment.now);
  const Formed formed = Form(moment);
  Batch batch;
  batch.reason = formed.reason;
  for (std::size_t taken = 0; taken < formed.places.size(); ++taken) {
    Append(Take(formed.places[taken] - taken), batch);
  }
  if (!batch.requests.empty()) {
    const InferenceRequest& first = *batch.requests.front();
    batch.max_rows = formed.reason == DispatchReason::kAlone
                         ? first.rows
                         : RowsWhereFull({.rows = batch.rows, .positions = batch.positions},
                                         MaxBatchSize(policies_.batching, first));
  }
  return batch;
}

}  // namespace octet
