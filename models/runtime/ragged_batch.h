// SPDX-License-Identifier: Apache-2.0
// Which rows of a ragged batch are alike: its sequences differ in length.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/tensor/tensor.h"

namespace octet {

// Rows of a batch that follow each other.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

// The stretches of a ragged batch, in its order: rows that follow each other and have the same
// value of every other symbol. A tensor of the batch is packed: the tensors of the stretches, [rows
// of the stretch,
// ...] each, one right behind the other.
class RaggedBatch {
 public:
  // `num_symbols`: at least 1, rows first. Makes room for `capacity` stretches.
  explicit RaggedBatch(std::size_t num_symbols, std::size_t capacity = 0)
      : num_symbols_(num_symbols) {
    values_.reserve(num_symbols * capacity);
  }

  // Keeps its memory.
  void Clear() {
    values_.clear();
    rows_ = 0;
  }
  // Appends so many rows as the first of `symbols` says, each at least 1: to the last stretch,
  // where they are like it.
  void Append(SymbolValues symbols);
  // Becomes the rows `range` of `all`, or as many of the first of them as are `max_stretches`
  // stretches.
  void Assign(const RaggedBatch& all, RowRange range, std::size_t max_stretches);

  [[nodiscard]] std::size_t size() const { return values_.size() / num_symbols_; }
  // Of a stretch; rows first.
  [[nodiscard]] SymbolValues operator[](std::size_t stretch) const {
    return std::span(values_).subspan(stretch * num_symbols_, num_symbols_);
  }
  // Of all stretches.
  [[nodiscard]] std::int64_t rows() const { return rows_; }

  friend bool operator==(const RaggedBatch&, const RaggedBatch&) = default;

 private:
  std::size_t num_symbols_;
  std::int64_t rows_ = 0;
  std::vector<std::int64_t> values_;  // of each stretch, its symbols
};

// Where row `row` of a packed tensor of this type begins; for one row more than there are, how
// large the tensor is. Precondition: rows come first in `type`, whose elements are whole bytes.
std::size_t PackedOffset(const RaggedBatch& batch, const TensorType& type, std::int64_t row);

}  // namespace octet
