// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/bias_fusion.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "models/graph/unique_names.h"
#include "models/graph/value_uses.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

std::optional<std::size_t> BiasInput(const Node& node) {
  // Integers have a bias of integers.
  if (StringOr(node, "activation_quantization", "none") == "static") return std::nullopt;
  if (node.op == "FullyConnected") return 4;
  if (node.op == "Conv2d" || node.op == "DepthwiseConv2d") return 3;
  return std::nullopt;
}

// `constant` as one number for each of `channels`, if it is that along the last axis.
std::optional<ConstantTensor> AsBias(const Graph& graph, ValueId id, const Dim& channels) {
  const Value& value = At(graph, id);
  if (!value.constant.has_value() || value.type.data_type != DataType::kFloat32 ||
      !channels.is_constant()) {
    return std::nullopt;
  }
  const Dims& dims = value.constant->dims();
  if (dims.empty() || dims.back() != channels.value() || NumElements(dims) != channels.value()) {
    return std::nullopt;
  }
  const std::vector<float> elements = FloatElements(*value.constant);
  const bool is_finite = std::all_of(elements.begin(), elements.end(),
                                     [](float element) { return std::isfinite(element); });
  if (!is_finite) return std::nullopt;  // a layer wants it to be
  return WithDims(*value.constant, {channels.value()});
}

// A layer whose result something is added to that can be its bias.
struct BiasSite {
  Node* layer;
  std::size_t input;  // of the layer
  ValueId addend;
  ConstantTensor bias;
};

// Of the node `addition`, if it is one behind a layer.
std::optional<BiasSite> FindSite(Graph& graph, const Node& addition, const ValueUses& uses) {
  if (addition.op != "Add" || addition.inputs.size() != 2) return std::nullopt;
  for (const std::size_t x : {0U, 1U}) {
    const ValueId product = addition.inputs[x];
    const ValueId addend = addition.inputs[1 - x];
    Node* const layer = uses.OnlyUsedHere(graph, product);
    if (layer == nullptr) continue;
    const std::optional<std::size_t> input = BiasInput(*layer);
    if (!input.has_value() || layer->HasInput(*input) || !IsLinear(*layer)) continue;
    const Shape& shape = At(graph, product).type.shape;
    if (shape != At(graph, addition.outputs[0]).type.shape) continue;
    std::optional<ConstantTensor> bias = AsBias(graph, addend, shape.back());
    if (bias.has_value()) return BiasSite{layer, *input, addend, *std::move(bias)};
  }
  return std::nullopt;
}

}  // namespace

void FuseBiases(Graph& graph, std::vector<Layer>& layers) {
  ValueUses uses(graph);
  UniqueNames names(graph.values);
  std::map<std::string, std::size_t> records;  // by path
  for (std::size_t i = 0; i < layers.size(); ++i) records.emplace(layers[i].path, i);
  for (Node& addition : graph.nodes) {
    const std::optional<BiasSite> site = FindSite(graph, addition, uses);
    if (!site.has_value()) continue;
    Node& layer = *site->layer;
    ValueId id = site->addend;
    if (At(graph, id).constant->dims().size() != 1) {
      id = graph.AddConstant(names.Take(layer.name + "/bias"), site->bias);
    }
    layer.inputs.resize(site->input + 1, kNoValue);
    layer.inputs[site->input] = id;
    uses.TakeProducer(addition.outputs[0], layer.outputs[0]);
    layer.outputs = std::exchange(addition.outputs, {});
    // A fused activation of the addition is one of the layer.
    for (const auto& [key, attribute] : addition.attributes) layer.attributes[key] = attribute;
    const auto record = records.find(layer.name);
    if (record != records.end()) {
      layers[record->second].variables.push_back({"bias", site->bias, ""});
    }
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet::onnx
