// SPDX-License-Identifier: Apache-2.0
// The rows of a tile in blocks whose sums fit into registers. Private to this room.

#pragma once

#include <cstddef>

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// Calls block.operator()<size>(first row) for all rows, kMaxRows (at most 8) at a time.
template <std::size_t kMaxRows, typename Block>
inline void ForBlocksOfRows(std::size_t rows, const Block& block) {
  std::size_t row = 0;
  for (; row + kMaxRows <= rows; row += kMaxRows) block.template operator()<kMaxRows>(row);
  switch (rows - row) {
    case 7:
      return block.template operator()<7>(row);
    case 6:
      return block.template operator()<6>(row);
    case 5:
      return block.template operator()<5>(row);
    case 4:
      return block.template operator()<4>(row);
    case 3:
      return block.template operator()<3>(row);
    case 2:
      return block.template operator()<2>(row);
    case 1:
      return block.template operator()<1>(row);
    default:
      return;
  }
}

}  // namespace
}  // namespace octet::kernels
