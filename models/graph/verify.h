// SPDX-License-Identifier: Apache-2.0
// The one gate between untrusted and trusted graphs.

#pragma once

#include "absl/status/status.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"

namespace octet {

// Limits of what a graph may hold; far beyond any real model, far below what hurts.
inline constexpr std::size_t kMaxValues = 1 << 20;
inline constexpr std::size_t kMaxSymbols = 64;
inline constexpr std::size_t kMaxRank = 8;

// Checks all of `graph`: ids in range, names unique and not empty, each value made once and before
// it is used, constants as large as their type says, symbols known, the batch first in every input
// and output, and each node against its operator: the declared types of its outputs must be those
// that Operator::InferOutputs gives. A graph that passes can be compiled and run. One without
// inputs answers one row, and has no open dimension besides.
//
// Returns INVALID_ARGUMENT naming the value or node, what it got and what it wants; UNIMPLEMENTED
// for an operator, or a combination, that there is not.
absl::Status VerifyGraph(const Graph& graph, const OperatorRegistry& operators);

}  // namespace octet
