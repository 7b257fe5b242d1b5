// SPDX-License-Identifier: Apache-2.0
// Broadcasting as NumPy does it: shapes aligned at their ends, a dimension of 1 stretched.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/operators/node_checks.h"
#include "models/tensor/shape.h"

namespace octet {

// The shape that both stretch to. INVALID_ARGUMENT where they do not fit, or where dimension 0 of
// one whose batch is open would not stay the batch.
absl::StatusOr<Shape> BroadcastShapes(const Node& node, const Shape& a, const Shape& b);

// Whether `from` stretches to exactly `to`.
absl::Status CheckBroadcastsTo(const Node& node, absl::string_view name, const Shape& from,
                               const Shape& to);

// Operator::IsRowWise of what stretches its inputs: all activations have as many dimensions as the
// result, and constants are the same for all rows.
bool BroadcastsByRow(std::span<const TensorType> inputs,
                     std::span<const ConstantTensor* const> constants);

// A loop over `out_dims` with the strides, in elements, of N tensors that stretch to it.
template <std::size_t N>
struct BroadcastLoop {
  std::size_t rank = 0;
  std::array<std::int64_t, kMaxRank> dims{};
  std::array<std::array<std::int64_t, kMaxRank>, N> strides{};
};

// Joins neighbouring dimensions where all tensors allow it. Precondition: each of `dims` stretches
// to `out_dims`, which has at most kMaxRank dimensions.
template <std::size_t N>
BroadcastLoop<N> MakeBroadcastLoop(std::span<const std::int64_t> out_dims,
                                   const std::array<std::span<const std::int64_t>, N>& dims) {
  // From the last dimension to the first; reversed at the end.
  BroadcastLoop<N> loop;
  std::array<std::int64_t, N> next;
  next.fill(1);
  for (std::size_t back = 1; back <= out_dims.size(); ++back) {
    const std::int64_t dim = out_dims[out_dims.size() - back];
    std::array<std::int64_t, N> stride{};
    for (std::size_t n = 0; n < N; ++n) {
      const std::int64_t own = back <= dims[n].size() ? dims[n][dims[n].size() - back] : 1;
      stride[n] = own == 1 ? 0 : next[n];
      next[n] *= own;
    }
    if (dim == 1) continue;
    bool joins = loop.rank > 0;
    for (std::size_t n = 0; n < N && joins; ++n) {
      joins = stride[n] == loop.strides[n][loop.rank - 1] * loop.dims[loop.rank - 1];
    }
    if (joins) {
      loop.dims[loop.rank - 1] *= dim;
      continue;
    }
    for (std::size_t n = 0; n < N; ++n) loop.strides[n][loop.rank] = stride[n];
    loop.dims[loop.rank++] = dim;
  }
  if (loop.rank == 0) loop.dims[loop.rank++] = 1;
  return loop;  // dimension 0 of the loop is the innermost
}

// Calls run(out_offset, offsets, steps, count) for each innermost run: output elements
// [out_offset, out_offset + count), element i of tensor n at offsets[n] + i * steps[n], where a
// step is 0 or 1.
template <std::size_t N, typename Run>
void ForEachBroadcastRun(std::span<const std::int64_t> out_dims,
                         const std::array<std::span<const std::int64_t>, N>& dims, Run run) {
  const BroadcastLoop<N> loop = MakeBroadcastLoop<N>(out_dims, dims);
  for (std::size_t d = 0; d < loop.rank; ++d) {
    if (loop.dims[d] == 0) return;
  }
  std::array<std::int64_t, N> offsets{};
  std::array<std::int64_t, N> steps;
  for (std::size_t n = 0; n < N; ++n) steps[n] = loop.strides[n][0];
  std::array<std::int64_t, kMaxRank> index{};
  std::int64_t out_offset = 0;
  while (true) {
    run(out_offset, offsets, steps, loop.dims[0]);
    out_offset += loop.dims[0];
    std::size_t d = 1;
    for (; d < loop.rank; ++d) {
      for (std::size_t n = 0; n < N; ++n) offsets[n] += loop.strides[n][d];
      if (++index[d] < loop.dims[d]) break;
      for (std::size_t n = 0; n < N; ++n) offsets[n] -= loop.strides[n][d] * loop.dims[d];
      index[d] = 0;
    }
    if (d >= loop.rank) return;
  }
}

}  // namespace octet
