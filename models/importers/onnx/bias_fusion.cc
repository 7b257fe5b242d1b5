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
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

std::optional<std::size_t> BiasInput(const Node& node) {
  // Integers have a bias of integers.
  const auto quantization = node.attributes.find("activation_quantization");
  if (quantization != node.attributes.end() &&
      quantization->second == Attribute(std::string("static"))) {
    return std::nullopt;
  }
  if (node.op == "FullyConnected") return 4;
  if (node.op == "Conv2d" || node.op == "DepthwiseConv2d") return 3;
  return std::nullopt;
}

bool HasActivation(const Node& node) {
  const auto found = node.attributes.find("activation");
  return found != node.attributes.end() && found->second != Attribute(std::string("linear"));
}

// Whose bias is of int32, in units of its product.
bool IsStatic(const Node& node) {
  return node.String("activation_quantization", "none").value_or("none") == "static";
}

// Nodes that take each value, outputs of the graph counted too.
std::vector<std::size_t> UseCounts(const Graph& graph) {
  std::vector<std::size_t> counts(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) ++counts[static_cast<std::size_t>(id)];
    }
  }
  for (const ValueId id : graph.outputs) ++counts[static_cast<std::size_t>(id)];
  return counts;
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
  std::size_t layer;  // its node
  std::size_t input;  // of that node
  ValueId addend;
  ConstantTensor bias;
};

// Of the node `addition`, if it is one behind a layer. `makers`: the node that makes a value.
std::optional<BiasSite> FindSite(const Graph& graph, const Node& addition,
                                 const std::map<ValueId, std::size_t>& makers,
                                 const std::vector<std::size_t>& uses) {
  if (addition.op != "Add" || addition.inputs.size() != 2) return std::nullopt;
  for (const std::size_t x : {0U, 1U}) {
    const ValueId product = addition.inputs[x];
    const ValueId addend = addition.inputs[1 - x];
    const auto maker = makers.find(product);
    if (maker == makers.end() || uses[static_cast<std::size_t>(product)] != 1) continue;
    const Node& layer = graph.nodes[maker->second];
    const std::optional<std::size_t> input = BiasInput(layer);
    if (!input.has_value() || layer.HasInput(*input) || HasActivation(layer) || IsStatic(layer)) {
      continue;
    }
    const Shape& shape = At(graph, product).type.shape;
    if (shape != At(graph, addition.outputs[0]).type.shape) continue;
    std::optional<ConstantTensor> bias = AsBias(graph, addend, shape.back());
    if (bias.has_value()) return BiasSite{maker->second, *input, addend, *std::move(bias)};
  }
  return std::nullopt;
}

}  // namespace

void FuseBiases(Graph& graph, std::vector<Layer>& layers) {
  const std::vector<std::size_t> uses = UseCounts(graph);
  std::map<ValueId, std::size_t> makers;
  UniqueNames names(graph.values);
  std::map<std::string, std::size_t> records;  // by path
  for (std::size_t i = 0; i < layers.size(); ++i) records.emplace(layers[i].path, i);
  std::vector<bool> is_gone(graph.nodes.size(), false);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& addition = graph.nodes[i];
    for (const ValueId id : addition.outputs) makers[id] = i;
    const std::optional<BiasSite> site = FindSite(graph, addition, makers, uses);
    if (!site.has_value()) continue;
    Node& layer = graph.nodes[site->layer];
    ValueId id = site->addend;
    if (At(graph, id).constant->dims().size() != 1) {
      id = graph.AddConstant(names.Take(layer.name + "/bias"), site->bias);
    }
    layer.inputs.resize(site->input + 1, kNoValue);
    layer.inputs[site->input] = id;
    layer.outputs = addition.outputs;
    // A fused activation of the addition is one of the layer.
    for (const auto& [key, attribute] : addition.attributes) layer.attributes[key] = attribute;
    makers[addition.outputs[0]] = site->layer;
    is_gone[i] = true;
    const auto record = records.find(layer.name);
    if (record != records.end()) {
      layers[record->second].variables.push_back({"bias", site->bias, ""});
    }
  }
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!is_gone[i]) nodes.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace octet::onnx
