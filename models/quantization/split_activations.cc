// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/split_activations.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/graph/unique_names.h"
#include "models/quantization/graph_edit.h"

namespace octet {

bool HasClippingActivation(const Node& node) {
  const std::string activation = StringOr(node, "activation", "linear");
  if (activation == "linear" || activation == "relu6") return true;
  const bool has_parameters =
      std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
        return absl::StartsWith(attribute.first, "activation_") &&
               attribute.first != "activation_quantization";
      });
  return activation == "relu" && !has_parameters;
}

void SplitOtherActivations(Graph& graph) {
  UniqueNames names(graph.values);
  std::vector<Node> nodes;
  for (Node node : std::exchange(graph.nodes, {})) {
    const std::string activation = StringOr(node, "activation", "linear");
    if (!HasFloatWeight(graph, node) || HasClippingActivation(node) || activation == "softmax" ||
        activation == "log_softmax") {
      nodes.push_back(std::move(node));
      continue;
    }
    const Value result = ValueAt(graph, node.outputs[0]);
    const ValueId before =
        graph.AddValue(names.Take(absl::StrCat(result.name, "/before_activation")), result.type);
    Node own{absl::StrCat(node.name, "/activation"), "Activation", {before}, node.outputs, {}};
    for (auto attribute = node.attributes.begin(); attribute != node.attributes.end();) {
      const bool is_activation =
          attribute->first == "activation" || (absl::StartsWith(attribute->first, "activation_") &&
                                               attribute->first != "activation_quantization");
      if (is_activation) own.attributes.insert(*attribute);
      attribute = is_activation ? node.attributes.erase(attribute) : std::next(attribute);
    }
    node.outputs = {before};
    nodes.push_back(std::move(node));
    nodes.push_back(std::move(own));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace octet
