// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/graph_edit.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace octet {

void RemoveUnusedValues(Graph& graph) {
  std::vector<bool> used(graph.values.size(), false);
  const auto use = [&used](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
    }
  };
  for (const Node& node : graph.nodes) {
    use(node.inputs);
    use(node.outputs);
  }
  use(graph.inputs);
  use(graph.outputs);
  std::vector<Value> kept;
  std::vector<ValueId> moved(graph.values.size(), kNoValue);
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!used[i]) continue;
    moved[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(graph.values[i]));
  }
  graph.values = std::move(kept);
  const auto renumber = [&moved](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = moved[static_cast<std::size_t>(id)];
    }
  };
  for (Node& node : graph.nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
  renumber(graph.inputs);
  renumber(graph.outputs);
}

const ConstantTensor* FloatConstant(const Graph& graph, const Node& node, std::size_t index) {
  if (!node.HasInput(index)) return nullptr;
  const std::optional<ConstantTensor>& constant = ValueAt(graph, node.inputs[index]).constant;
  const bool is_float = constant.has_value() && constant->data_type() == DataType::kFloat32;
  return is_float ? &*constant : nullptr;
}

std::vector<float> ElementsOf(const ConstantTensor& constant) {
  std::vector<float> elements(constant.bytes().size() / sizeof(float));
  std::copy(constant.bytes().begin(), constant.bytes().end(),
            std::as_writable_bytes(std::span(elements)).begin());
  return elements;
}

bool HasFloatWeight(const Graph& graph, const Node& node) {
  if (node.op != "FullyConnected" && !IsConvolution(node)) return false;
  const std::size_t bias = BiasIndex(node);
  if (FloatConstant(graph, node, WeightedInputs::kWeight) == nullptr) return false;
  for (std::size_t i = WeightedInputs::kScale; i < node.inputs.size(); ++i) {
    if (i != bias && node.HasInput(i)) return false;
  }
  return !node.HasInput(bias) || FloatConstant(graph, node, bias) != nullptr;
}

WeightMatrix WeightOf(const Graph& graph, const Node& node) {
  const ConstantTensor& constant = *FloatConstant(graph, node, WeightedInputs::kWeight);
  WeightMatrix matrix{ElementsOf(constant), constant.dims(), 0};
  const auto transposed = node.Int("transpose_weight", 0);
  if (node.op == "FullyConnected" && transposed.ok() && *transposed != 0) {
    const auto n = static_cast<std::size_t>(matrix.dims[0]);
    const auto k = static_cast<std::size_t>(matrix.dims[1]);
    std::vector<float> turned(matrix.elements.size());
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < k; ++i) turned[i * n + j] = matrix.elements[j * k + i];
    }
    matrix.elements = std::move(turned);
    std::swap(matrix.dims[0], matrix.dims[1]);
  }
  matrix.columns = static_cast<std::size_t>(matrix.dims.back());
  if (node.op == "DepthwiseConv2d") {
    // [kh, kw, C, m]: output channel c * m + i.
    matrix.columns *= static_cast<std::size_t>(matrix.dims[matrix.dims.size() - 2]);
  }
  return matrix;
}

}  // namespace octet
