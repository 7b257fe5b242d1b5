// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/mask_numbers.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/unique_names.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

namespace {

constexpr float kMostNumber = -1000.0F;

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

std::optional<float> Scalar(const Graph& graph, ValueId id) {
  const auto& constant = At(graph, id).constant;
  if (!constant.has_value() || constant->data_type() != DataType::kFloat32 ||
      constant->bytes().size() != sizeof(float)) {
    return std::nullopt;
  }
  return constant->as<float>()[0];
}

bool IsPlain(const Node& node, const char* op) {
  return node.op == op && StringOr(node, "activation", "linear") == "linear";
}

// Who makes a value, and how many take it.
struct Makers {
  explicit Makers(const Graph& graph)
      : node(graph.values.size(), graph.nodes.size()), uses(graph.values.size(), 0) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const ValueId id : graph.nodes[i].outputs) node[static_cast<std::size_t>(id)] = i;
      for (const ValueId id : graph.nodes[i].inputs) {
        if (id != kNoValue) ++uses[static_cast<std::size_t>(id)];
      }
    }
    for (const ValueId id : graph.outputs) ++uses[static_cast<std::size_t>(id)];
  }
  std::vector<std::size_t> node;
  std::vector<std::size_t> uses;
};

// The node that makes `id`, if nothing else takes it.
Node* MakerOf(Graph& graph, const Makers& makers, ValueId id) {
  const auto at = static_cast<std::size_t>(id);
  return makers.node[at] < graph.nodes.size() && makers.uses[at] == 1
             ? &graph.nodes[makers.node[at]]
             : nullptr;
}

}  // namespace

void ReplaceMaskNumbers(Graph& graph) {
  const Makers makers(graph);
  UniqueNames names(graph.values);
  std::optional<ValueId> zero;
  for (Node& product : graph.nodes) {
    if (!IsPlain(product, "Multiply") || product.inputs.size() != 2) continue;
    for (const std::size_t side : {0U, 1U}) {
      const std::optional<float> number = Scalar(graph, product.inputs[side]);
      if (!number.has_value() || !(*number <= kMostNumber)) continue;
      Node* const difference = MakerOf(graph, makers, product.inputs[1 - side]);
      if (difference == nullptr || !IsPlain(*difference, "Subtract") ||
          Scalar(graph, difference->inputs[0]) != 1.0F) {
        continue;
      }
      Node* const cast = MakerOf(graph, makers, difference->inputs[1]);
      if (cast == nullptr || cast->op != "Cast") continue;
      const DataType type = At(graph, cast->inputs[0]).type.data_type;
      if (!IsInteger(type) && type != DataType::kBool) continue;
      if (!zero.has_value()) {
        zero = graph.AddConstant(
            names.Take("no_mask"),
            ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{0.0F}));
      }
      const ValueId low = product.inputs[side];
      const ValueId seen = difference->outputs[0];
      graph.values[static_cast<std::size_t>(seen)].type.data_type = DataType::kBool;
      difference->op = "Cast";
      difference->inputs = {cast->inputs[0]};
      difference->attributes = {{"to", std::string("BOOL")}};
      cast->outputs.clear();
      product.op = "Where";
      product.inputs = {seen, *zero, low};
      product.attributes.clear();
      break;
    }
  }
  std::erase_if(graph.nodes, [](const Node& node) { return node.outputs.empty(); });
}

}  // namespace octet::onnx
