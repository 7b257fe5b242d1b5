// SPDX-License-Identifier: Apache-2.0
// Moving elements between two layouts: what Transpose, Slice, Pad, Concat, Tile and Expand are.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/operators/node_checks.h"

namespace octet {

// Twice kMaxRank, because Tile walks each dimension as (repeat, element).
inline constexpr std::size_t kMaxCopyRank = 2 * kMaxRank;

// One loop over `rank` dimensions, outermost first. Strides in elements; they may be 0 or negative.
struct StridedCopy {
  std::size_t rank = 0;
  std::array<std::int64_t, kMaxCopyRank> dims{};
  std::array<std::int64_t, kMaxCopyRank> from_strides{};
  std::array<std::int64_t, kMaxCopyRank> to_strides{};

  // Appends an inner dimension. Precondition: rank < kMaxCopyRank.
  void Append(std::int64_t dim, std::int64_t from_stride, std::int64_t to_stride) {
    dims[rank] = dim;
    from_strides[rank] = from_stride;
    to_strides[rank++] = to_stride;
  }
};

// Strides of a dense row-major tensor.
std::array<std::int64_t, kMaxRank> DenseStrides(std::span<const std::int64_t> dims);

// Copies elements of `element_size` bytes (1, 2, 4 or 8). `from` and `to` point at the element with
// index 0 in each dimension. Allocates nothing.
void CopyStrided(const StridedCopy& copy, std::size_t element_size, const void* from, void* to);

}  // namespace octet
