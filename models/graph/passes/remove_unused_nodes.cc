// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/remove_unused_nodes.h"

#include <algorithm>

#include "models/graph/value_uses.h"

namespace octet {

void RemoveUnusedNodes(Graph& graph) {
  ValueUses uses(graph);
  // Backwards: whoever uses a node's outputs has been seen before it.
  // NOLINTNEXTLINE(modernize-loop-convert): Clang 14 lacks the views of libstdc++
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool is_used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                     [&](ValueId id) { return uses.NumUses(id) > 0; });
    if (is_used) continue;
    for (const ValueId id : node->inputs) {
      if (id != kNoValue) uses.RemoveUse(id);
    }
    node->outputs.clear();
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
