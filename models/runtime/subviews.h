// SPDX-License-Identifier: Apache-2.0
// Which values of a graph need no bytes of their own because they lie inside others: pieces of a
// Concat, written where they belong, and Slices, read where they lie.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/compiled_graph.h"

namespace octet {

struct Subviews {
  std::vector<Subview> subviews;  // as CompiledGraph::subviews
  std::vector<InPlace> nodes;     // of each node: whether its work is done by them
};

// A value can lie in another where its bytes are a run of the other's, which may hold for one row
// only, because the batch comes first; or where its rows lie apart and every step that reads or
// writes it can do that (Step::InputRowRank, OutputRowRank). The piece of a Concat must be what a
// step makes, lie nowhere else, and be no output of the graph. `steps` are those of `graph`, in
// order; `root_of` is, by ValueId, the value whose very bytes it shares, or itself.
// Preconditions: `graph` is verified, `operators` hold all of its operators, max_rows >= 1.
Subviews FindSubviews(const Graph& graph, const OperatorRegistry& operators,
                      std::span<const CompiledStep> steps, std::span<const ValueId> root_of,
                      std::int64_t max_rows);

}  // namespace octet
