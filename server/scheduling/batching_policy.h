// SPDX-License-Identifier: Apache-2.0
// Which requests go together, and who polls meanwhile. Pure.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "server/scheduling/request.h"

namespace octet {

struct BatchingPolicy {
  // The most rows of a batch of several requests; a single request may have more.
  std::int64_t max_rows = 64;
  // A batch expected to keep its worker for longer wakes another worker to poll; for a shorter one
  // the wake (about 25 us, on another core) costs more than what arrives meanwhile waits.
  std::chrono::nanoseconds hand_over_above = std::chrono::microseconds(100);
};

// Whether several requests' rows may be concatenated: rows come first in every input and output.
bool TakesBatches(const Executable& executable);

// Whether `request` may join a batch that `first` began and that has `rows` rows by now: the same
// executable, the same dimensions beyond rows, and room.
bool FitsBatch(const BatchingPolicy& policy, const InferenceRequest& first, std::int64_t rows,
               const InferenceRequest& request);

// What a worker knows when it leaves the poll to run a batch.
struct HandOverCase {
  std::size_t idle_workers = 0;
  bool polled = false;                   // somebody polls already
  bool work_is_waiting = false;          // for a worker that may compute
  std::chrono::nanoseconds expected{0};  // of the batch; 0: not known
};
// Whether to wake an idle worker.
bool WakesAnother(const BatchingPolicy& policy, const HandOverCase& now);

}  // namespace octet
