// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_activation.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

#include "models/graph/passes/value_uses.h"

namespace octet {
namespace {

constexpr std::array<absl::string_view, 10> kFusing = {
    "FullyConnected", "Conv2d", "DepthwiseConv2d", "Add",     "Subtract",
    "Multiply",       "Divide", "Maximum",         "Minimum", "Power"};

bool IsFloat(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)].type.data_type == DataType::kFloat32;
}

// A relu or relu6 without parameters of its own.
bool IsPlainClip(const Node& node) {
  if (node.op != "Activation" || node.inputs.size() != 1 || node.outputs.size() != 1) return false;
  const auto kind = node.String("activation", "linear");
  const bool has_parameters =
      std::any_of(node.attributes.begin(), node.attributes.end(),
                  [](const auto& entry) { return absl::StartsWith(entry.first, "activation_"); });
  return kind.ok() && (*kind == "relu" || *kind == "relu6") && !has_parameters;
}

bool TakesActivation(const Graph& graph, const Node& node) {
  const auto activation = node.String("activation", "linear");
  return std::find(kFusing.begin(), kFusing.end(), node.op) != kFusing.end() && activation.ok() &&
         *activation == "linear" && IsFloat(graph, node.outputs[0]);
}

}  // namespace

void FuseActivation(Graph& graph) {
  ValueUses uses(graph);
  for (Node& clip : graph.nodes) {
    if (!IsPlainClip(clip) || !IsFloat(graph, clip.outputs[0])) continue;
    Node* const producer = uses.OnlyUsedHere(graph, clip.inputs[0]);
    if (producer == nullptr || !TakesActivation(graph, *producer)) continue;
    producer->attributes["activation"] = clip.attributes["activation"];
    uses.TakeProducer(clip.outputs[0], clip.inputs[0]);
    producer->outputs = clip.outputs;
    clip.outputs.clear();
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
