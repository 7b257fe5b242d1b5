// SPDX-License-Identifier: Apache-2.0
// Which requests go together, which batches are cut into parts, and who polls meanwhile. Pure.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "server/scheduling/request.h"

namespace octet {

struct BatchingPolicy {
  // The most rows of a batch of several requests; a single request may have more.
  std::int64_t max_rows = 64;
  // A batch expected to keep its worker for longer wakes another worker to poll; for a shorter one
  // the wake (about 25 us, on another core) costs more than what arrives meanwhile waits.
  std::chrono::nanoseconds hand_over_above = std::chrono::microseconds(100);
  // A batch expected to keep one worker for longer is offered to idle ones in parts: several times
  // the wake.
  std::chrono::nanoseconds split_above = std::chrono::microseconds(200);
  // No part is expected to be shorter: taking one costs a lock, and a helper a wake.
  std::chrono::nanoseconds min_part = std::chrono::microseconds(50);
  // The most parts that a batch is cut into for each worker that may compute it, where cutting
  // costs anything: more than one, so that a helper that comes late leaves work to the others.
  std::int64_t parts_per_worker = 4;
  // Where fewer rows cost no more, a part is expected to be no longer: that long others wait.
  std::chrono::nanoseconds max_part = std::chrono::milliseconds(2);
};

// The most rows of a batch of several requests of `executable`: `limit`, where there is one (0:
// not), and no more than one run of the steps has.
std::int64_t MaxBatchRows(const BatchingPolicy& policy, const Executable& executable,
                          std::int64_t limit);

// How large a batch is, or may become.
struct BatchSize {
  std::int64_t rows = 0;
  // Rows times their open dimensions (CountPositions), where the executable takes sequences of
  // different lengths together (Executable::takes_lengths); else 0.
  std::int64_t positions = 0;
  friend bool operator==(const BatchSize&, const BatchSize&) = default;
};
BatchSize SizeOf(const InferenceRequest& request);
void AddTo(BatchSize& batch, const InferenceRequest& request);
// The most of a batch of several requests that `first` begins. The rows that pay were measured with
// rows of a typical length, and what pays is positions: so many rows of that length have. Where an
// operator has not set the rows, shorter ones may be more.
BatchSize MaxBatchSize(const BatchingPolicy& policy, const InferenceRequest& first);
// The most rows of it if all were like those of `first`.
std::int64_t MaxRowsLike(const BatchingPolicy& policy, const InferenceRequest& first);

// Whether a request may join a batch, or why not.
enum class BatchFit : std::uint8_t { kFits, kOtherExecutable, kOtherShape, kNoRoom };
// Of `request` and a batch that `first` began and that is of `size` by now: it wants the same
// executable, the same dimensions beyond rows or an executable that takes others, and room.
BatchFit FitOf(const BatchingPolicy& policy, const InferenceRequest& first, const BatchSize& size,
               const InferenceRequest& request);

// Requests that fit together, in the order in which they are due.
struct BatchCase {
  std::span<const std::int64_t> rows;                 // of each; there is one
  std::span<const std::int64_t> preferred_rows;       // ModelScheduling
  DispatchReason limited_by = DispatchReason::kIdle;  // why they are no more
  bool may_wait = false;                              // the model has a max_queue_delay
  bool is_ripe = true;                                // and one of them has waited for it
};
struct BatchChoice {
  std::size_t num_requests = 0;  // the first so many go now; 0: they wait for more
  DispatchReason reason = DispatchReason::kIdle;
};
BatchChoice ChooseBatch(const BatchCase& now);

// What a worker knows of a batch that it begins.
struct SplitCase {
  std::int64_t rows = 0;
  std::int64_t max_rows = 1;             // of one run of the steps (Executable::max_rows)
  std::size_t weight_bytes = 0;          // read by each run of the steps
  std::chrono::nanoseconds expected{0};  // on one worker; 0: not known
  std::size_t idle_workers = 0;          // that may compute now, and have nothing else to do
  std::int64_t paying_rows = 0;          // more in a run of the steps gain nothing; 0: not known
};
// How many rows of the batch are a part; all of them if it is better not cut.
//
// A batch of more rows than one run of the steps has is cut into its runs, which costs nothing:
// whoever becomes idle meanwhile helps, and other requests go in between. So is one of more rows
// than pay, into parts that are not long. Smaller parts, for those who are idle now, make the steps
// read their weights more often: each is worth it.
// Precondition: the executable takes batches.
std::int64_t PartRows(const BatchingPolicy& policy, const SplitCase& now);

// What a worker knows when it leaves the poll to run a batch.
struct HandOverCase {
  std::size_t idle_workers = 0;
  bool polled = false;                   // somebody polls already
  bool work_is_waiting = false;          // for a worker that may compute: a request, or a part
  std::chrono::nanoseconds expected{0};  // of the batch; 0: not known
};
// Whether to wake an idle worker.
bool WakesAnother(const BatchingPolicy& policy, const HandOverCase& now);

}  // namespace octet
