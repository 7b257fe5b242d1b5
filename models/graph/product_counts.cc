// SPDX-License-Identifier: Apache-2.0
#include "models/graph/product_counts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "models/base/status_macros.h"

namespace octet {
namespace {

Dims DimsOf(const Graph& graph, ValueId id, SymbolValues symbols) {
  Dims dims;
  if (id == kNoValue) return dims;
  for (const Dim& dim : graph.values[static_cast<std::size_t>(id)].type.shape) {
    dims.push_back(std::max<std::int64_t>(dim.Evaluate(symbols), 0));
  }
  return dims;
}

}  // namespace

absl::StatusOr<std::vector<ProductCount>> CountProducts(const Graph& graph,
                                                        const OperatorRegistry& operators,
                                                        SymbolValues symbols) {
  std::vector<ProductCount> counts;
  counts.reserve(graph.nodes.size());
  for (const Node& node : graph.nodes) {
    ASSIGN_OR_RETURN(const Operator* const op, operators.Find(node.op));
    std::vector<Dims> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(DimsOf(graph, id, symbols));
    counts.push_back(op->CountProducts(node, inputs, DimsOf(graph, node.outputs[0], symbols)));
  }
  return counts;
}

ProductShare SumProducts(std::span<const ProductCount> counts) {
  ProductShare share;
  for (const ProductCount& count : counts) {
    share.all += count.count;
    if (count.are_integer) share.integer += count.count;
  }
  return share;
}

double ElementCount(std::span<const std::int64_t> dims) {
  double count = 1;
  for (const std::int64_t dim : dims) count *= static_cast<double>(dim);
  return count;
}

}  // namespace octet
