// SPDX-License-Identifier: Apache-2.0
// Which rows of a batch are whose, which are computed, and what that took.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "models/runtime/session.h"

namespace octet {

// What came of some rows on one worker.
struct RowsOutcome {
  absl::Status status = absl::OkStatus();
  std::chrono::nanoseconds run{0};
  std::chrono::nanoseconds quantize{0};  // of `run`
};

// What came of a whole batch.
struct BatchOutcome {
  absl::Status status = absl::OkStatus();  // the first error
  std::chrono::nanoseconds run{0};         // of all workers together
  std::chrono::nanoseconds quantize{0};    // of `run`
  std::int64_t helped_parts = 0;           // computed by others than the batch's owner
};

// The parts of one batch: its owner, the worker that began it, takes them one after another, and
// helpers take what is left. Each part that was taken is completed or given back.
// Thread safety: one thread at a time; the Scheduler's lock guards it.
class BatchProgress {
 public:
  // At most `max_helpers` have a part at once.
  explicit BatchProgress(std::size_t max_helpers) { returned_.reserve(max_helpers); }

  // Begins a batch of `rows` in parts of `part_rows`, both at least 1. Precondition: is_complete().
  // Allocates nothing, as no other method does.
  void Begin(std::int64_t rows, std::int64_t part_rows);

  [[nodiscard]] bool has_part() const { return !returned_.empty() || next_row_ < rows_; }
  // Precondition: has_part().
  RowRange TakePart();
  // Of a part that was taken and not computed to its end.
  void GiveBack(RowRange part);
  // After an error no further part is handed out.
  void Complete(RowRange part, const RowsOutcome& outcome, bool helped);

  // Whether every row is computed, or given up after an error, and none is still computed.
  [[nodiscard]] bool is_complete() const { return open_rows_ == 0; }
  // Of what is completed so far.
  [[nodiscard]] const BatchOutcome& outcome() const { return outcome_; }

 private:
  std::int64_t rows_ = 0;
  std::int64_t part_rows_ = 1;
  std::int64_t next_row_ = 0;
  std::int64_t open_rows_ = 0;
  std::vector<RowRange> returned_;
  BatchOutcome outcome_;
};

}  // namespace octet
