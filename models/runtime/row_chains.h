// SPDX-License-Identifier: Apache-2.0
// Neighbouring steps that compute row by row (Operator::IsRowWise), run together over blocks of
// rows: what one makes for the next is still in the cache, and needs memory for a block only.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace octet {

struct CompiledGraph;

// An activation that steps of a chain read or write.
struct RowValue {
  std::int32_t value = 0;
  // No other step reads it: it lies in the arena, one block of it at a time.
  bool is_local = false;
};

// Steps [first_step, end_step). All values have the same leading dimensions, `num_row_dims` of
// them, whose product is the number of rows.
struct RowChain {
  std::int32_t first_step = 0;
  std::int32_t end_step = 0;
  std::size_t num_row_dims = 0;
  // Each once, in ascending order; reinterpretations of one are values of their own.
  std::vector<RowValue> values;
};

// The chains of `graph`, in the order of its steps, each of at least two steps one of which reads
// what another makes. `roots` holds for each value the one whose bytes it shares, or itself.
// Storage of the caller's tensors is assigned already, that of the arena not yet.
std::vector<RowChain> FindRowChains(const CompiledGraph& graph,
                                    std::span<const std::int32_t> roots);

// How many rows a block has, where a row of all values takes `row_byte_size` bytes: as many as a
// first-level cache holds.
std::int64_t RowsPerBlock(std::size_t row_byte_size);

}  // namespace octet
