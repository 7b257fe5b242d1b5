// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/unused_parts.h"

#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include "models/graph/passes/remove_unused_nodes.h"

namespace octet::onnx {

void RemoveUnusedParts(Graph& graph, std::vector<Layer>& layers) {
  RemoveUnusedNodes(graph);
  std::vector<bool> is_used(graph.values.size(), false);
  const auto mark = [&is_used](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) is_used[static_cast<std::size_t>(id)] = true;
    }
  };
  mark(graph.inputs);
  mark(graph.outputs);
  std::set<std::string> nodes;
  for (const Node& node : graph.nodes) {
    mark(node.inputs);
    mark(node.outputs);
    nodes.insert(node.name);
  }
  std::vector<ValueId> places(graph.values.size(), kNoValue);
  std::vector<Value> values;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!is_used[i]) continue;
    places[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(values);
  const auto renumber = [&places](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = places[static_cast<std::size_t>(id)];
    }
  };
  renumber(graph.inputs);
  renumber(graph.outputs);
  for (Node& node : graph.nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
  std::erase_if(layers, [&nodes](const Layer& layer) { return !nodes.contains(layer.path); });
}

}  // namespace octet::onnx
