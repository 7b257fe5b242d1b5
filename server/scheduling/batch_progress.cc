// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/batch_progress.h"

#include <algorithm>
#include <cassert>

namespace octet {

void BatchProgress::Begin(std::int64_t rows, std::int64_t part_rows) {
  assert(is_complete());
  assert(rows >= 1 && part_rows >= 1);
  rows_ = rows;
  part_rows_ = part_rows;
  next_row_ = 0;
  open_rows_ = rows;
  outcome_ = {};
}

RowRange BatchProgress::TakePart() {
  assert(has_part());
  if (!returned_.empty()) {
    const RowRange part = returned_.back();
    returned_.pop_back();
    return part;
  }
  const RowRange part = {.first = next_row_, .count = std::min(part_rows_, rows_ - next_row_)};
  next_row_ += part.count;
  return part;
}

void BatchProgress::GiveBack(RowRange part) {
  if (!outcome_.status.ok()) {
    open_rows_ -= part.count;
    return;
  }
  assert(returned_.size() < returned_.capacity());
  returned_.push_back(part);
}

void BatchProgress::Complete(RowRange part, const RowsOutcome& outcome, bool helped) {
  open_rows_ -= part.count;
  outcome_.run += outcome.run;
  outcome_.quantize += outcome.quantize;
  if (helped) ++outcome_.helped_parts;
  if (outcome.status.ok()) return;
  outcome_.status.Update(outcome.status);
  open_rows_ -= rows_ - next_row_;
  next_row_ = rows_;
  for (const RowRange& returned : returned_) open_rows_ -= returned.count;
  returned_.clear();
}

}  // namespace octet
