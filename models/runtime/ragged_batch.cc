// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/ragged_batch.h"

#include <algorithm>

namespace octet {

void RaggedBatch::Append(SymbolValues symbols) {
  rows_ += symbols[0];
  if (!values_.empty()) {
    const std::span<std::int64_t> last = std::span(values_).last(num_symbols_);
    if (std::ranges::equal(last.subspan(1), symbols.subspan(1))) {
      last[0] += symbols[0];
      return;
    }
  }
  values_.insert(values_.end(), symbols.begin(), symbols.end());
}

void RaggedBatch::Assign(const RaggedBatch& all, RowRange range, std::size_t max_stretches) {
  Clear();
  std::int64_t first = 0;  // of the stretch
  for (std::size_t stretch = 0; stretch < all.size() && size() < max_stretches; ++stretch) {
    const SymbolValues symbols = all[stretch];
    const std::int64_t begin = std::max(first, range.first);
    const std::int64_t end = std::min(first + symbols[0], range.first + range.count);
    first += symbols[0];
    if (begin >= end) continue;
    values_.insert(values_.end(), symbols.begin(), symbols.end());
    std::span(values_).last(num_symbols_)[0] = end - begin;
    rows_ += end - begin;
  }
}

std::size_t PackedOffset(const RaggedBatch& batch, const TensorType& type, std::int64_t row) {
  std::int64_t elements = 0;
  for (std::size_t stretch = 0; stretch < batch.size() && row > 0; ++stretch) {
    const SymbolValues symbols = batch[stretch];
    std::int64_t row_size = 1;
    for (std::size_t d = 1; d < type.shape.size(); ++d) row_size *= type.shape[d].Evaluate(symbols);
    elements += std::min(row, symbols[0]) * row_size;
    row -= symbols[0];
  }
  return static_cast<std::size_t>(elements) * (BitWidth(type.data_type) / 8);
}

}  // namespace octet
