// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_residual.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "models/graph/value_uses.h"

namespace octet {
namespace {

// Of FullyConnected's inputs.
constexpr std::size_t kResidual = 7;

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

bool TakesResidual(const Node& node) {
  const std::string activation = StringOr(node, "activation", "linear");
  return node.op == "FullyConnected" && !node.HasInput(kResidual) && activation != "softmax" &&
         activation != "log_softmax" &&
         StringOr(node, "activation_quantization", "none") != "static";
}

// Whether the two are float32 activations of one shape, so that an Add broadcasts nothing.
bool AreAlike(const Value& a, const Value& b) {
  return !a.constant && !b.constant && a.type.data_type == DataType::kFloat32 && a.type == b.type;
}

}  // namespace

void FuseResidual(Graph& graph) {
  const ValueUses uses(graph);
  for (Node& add : graph.nodes) {
    if (add.op != "Add" || add.inputs.size() != 2 || add.inputs[0] == add.inputs[1] ||
        StringOr(add, "activation", "linear") != "linear" ||
        !AreAlike(At(graph, add.inputs[0]), At(graph, add.inputs[1]))) {
      continue;
    }
    for (const std::size_t i : {0U, 1U}) {
      Node* const layer = uses.OnlyUsedHere(graph, add.inputs[i]);
      if (layer == nullptr || !TakesResidual(*layer)) continue;
      // The layer moves to where the addition is: there, the residual is known.
      const ValueId residual = add.inputs[1 - i];
      Node fused = *layer;
      fused.inputs.resize(std::max(fused.inputs.size(), kResidual + 1), kNoValue);
      fused.inputs[kResidual] = residual;
      fused.outputs = add.outputs;
      layer->outputs.clear();
      add = std::move(fused);
      break;
    }
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
