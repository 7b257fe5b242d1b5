// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/mask_numbers.h"

#include <optional>
#include <string>
#include <vector>

#include "models/graph/unique_names.h"
#include "models/graph/value_uses.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

namespace {

constexpr float kMostNumber = -1000.0F;

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

bool IsPlain(const Node* node, const char* op) {
  return node != nullptr && node->op == op && IsLinear(*node);
}

}  // namespace

void ReplaceMaskNumbers(Graph& graph) {
  const ValueUses uses(graph);
  UniqueNames names(graph.values);
  std::optional<ValueId> zero;
  for (Node& product : graph.nodes) {
    if (!IsPlain(&product, "Multiply") || product.inputs.size() != 2) continue;
    for (const std::size_t side : {0U, 1U}) {
      const std::optional<float> number = ScalarConstant(graph, product.inputs[side]);
      if (!number.has_value() || !(*number <= kMostNumber)) continue;
      Node* const difference = uses.OnlyUsedHere(graph, product.inputs[1 - side]);
      if (!IsPlain(difference, "Subtract") ||
          ScalarConstant(graph, difference->inputs[0]) != 1.0F) {
        continue;
      }
      Node* const cast = uses.OnlyUsedHere(graph, difference->inputs[1]);
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
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet::onnx
