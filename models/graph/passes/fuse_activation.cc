// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_activation.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/string_view.h"

#include "models/graph/value_uses.h"

namespace octet {
namespace {

constexpr std::array<absl::string_view, 11> kFusing = {
    "FullyConnected", "Conv2d", "Conv3d",  "DepthwiseConv2d", "Add",  "Subtract",
    "Multiply",       "Divide", "Maximum", "Minimum",         "Power"};

bool IsFloat(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)].type.data_type == DataType::kFloat32;
}

bool IsActivation(const Node& node) {
  return node.op == "Activation" && node.inputs.size() == 1 && node.outputs.size() == 1;
}

constexpr std::array<const char*, 3> kParameters = {"activation_alpha", "activation_beta",
                                                    "activation_threshold"};

// Needs no more than the element: a softmax wants the whole row.
bool IsElementwise(const Node& node) {
  const auto kind = node.String("activation", "linear");
  return IsActivation(node) && kind.ok() && *kind != "softmax" && *kind != "log_softmax";
}

// A relu or relu6 without parameters of its own.
bool IsPlainClip(const Node& node) {
  const auto kind = node.String("activation", "linear");
  const bool has_parameters =
      std::any_of(kParameters.begin(), kParameters.end(),
                  [&node](const char* key) { return node.attributes.contains(key); });
  return IsActivation(node) && kind.ok() && (*kind == "relu" || *kind == "relu6") &&
         !has_parameters;
}

bool TakesActivation(const Graph& graph, const Node& node) {
  const auto activation = node.String("activation", "linear");
  return std::find(kFusing.begin(), kFusing.end(), node.op) != kFusing.end() && activation.ok() &&
         *activation == "linear" && IsFloat(graph, node.outputs[0]);
}

void MoveActivation(const Node& from, Node& to) {
  const auto move = [&](const char* key) {
    to.attributes.erase(key);
    const auto attribute = from.attributes.find(key);
    if (attribute != from.attributes.end()) to.attributes.insert(*attribute);
  };
  move("activation");
  for (const char* key : kParameters) move(key);
}

void Fuse(Graph& graph, bool (*is_wanted)(const Node& node)) {
  ValueUses uses(graph);
  for (Node& activation : graph.nodes) {
    if (!is_wanted(activation) || !IsFloat(graph, activation.outputs[0])) continue;
    Node* const producer = uses.OnlyUsedHere(graph, activation.inputs[0]);
    if (producer == nullptr || !TakesActivation(graph, *producer)) continue;
    MoveActivation(activation, *producer);
    uses.TakeProducer(activation.outputs[0], activation.inputs[0]);
    producer->outputs = activation.outputs;
    activation.outputs.clear();
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace

void FuseActivation(Graph& graph) { Fuse(graph, IsElementwise); }

void FuseClip(Graph& graph) { Fuse(graph, IsPlainClip); }

}  // namespace octet
