// SPDX-License-Identifier: Apache-2.0
// How much a graph multiplies, and how much of that in integers: what quantization was for.

#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/shape.h"

namespace octet {

// The products of each node, in the order of graph.nodes, in a run where the open dimensions have
// these sizes: one for each of graph.symbol_names. Precondition: `graph` is verified.
// Returns UNIMPLEMENTED for an operator that `operators` lacks.
absl::StatusOr<std::vector<ProductCount>> CountProducts(const Graph& graph,
                                                        const OperatorRegistry& operators,
                                                        SymbolValues symbols);

// All products, and those in integers.
struct ProductShare {
  double all = 0;
  double integer = 0;
};
ProductShare SumProducts(std::span<const ProductCount> counts);

// --- for operators.

// The number of elements of a tensor. In float64, as counts are: what is only told may be as large
// as it likes.
double ElementCount(std::span<const std::int64_t> dims);

}  // namespace octet
