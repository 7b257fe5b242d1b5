// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_layer_normalization.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/value_uses.h"

namespace octet {
namespace {

const Value& At(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

class Match {
 public:
  Match(Graph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

  // Whether `last` is the last node of a normalization. Then Replace() makes one node of all of
  // them.
  bool Find(Node& last) {
    Node* node = &last;
    if (node->op == "Add") node = Before(*node, "Multiply", beta_);
    if (node != nullptr && node->op == "Multiply") node = Before(*node, "Divide", gamma_);
    return node != nullptr && node->op == "Divide" && IsNormalized(*node) &&
           AreAlikeFloats(graph_, x_, last.outputs[0]);
  }

  // Writes the normalization over `node`, the last of its nodes, and strips the others.
  void Replace(Node& node) {
    for (Node* const gone : gone_) {
      if (gone != &node) gone->outputs.clear();
    }
    node.op = "LayerNormalization";
    node.inputs = {x_};
    if (gamma_ != kNoValue) node.inputs.push_back(gamma_);
    if (beta_ != kNoValue) node.inputs.push_back(beta_);
    node.attributes = {{"epsilon", epsilon_}};
  }

 private:
  // The node `op` that only `node` takes, beside a constant for each element of a row.
  Node* Before(Node& node, const char* op, ValueId& constant) {
    if (node.inputs.size() != 2 || !IsLinear(node)) return nullptr;
    for (const std::size_t side : {0U, 1U}) {
      Node* const inner = uses_.OnlyUsedHere(graph_, node.inputs[side]);
      if (inner == nullptr || inner->op != op || !IsRow(node.inputs[1 - side], inner->outputs[0])) {
        continue;
      }
      constant = node.inputs[1 - side];
      gone_.push_back(&node);
      return inner;
    }
    return nullptr;
  }

  [[nodiscard]] bool IsRow(ValueId id, ValueId like) const {
    const auto& constant = At(graph_, id).constant;
    const Shape& shape = At(graph_, like).type.shape;
    return constant.has_value() && constant->data_type() == DataType::kFloat32 && !shape.empty() &&
           shape.back().is_constant() && constant->dims() == Dims{shape.back().value()};
  }

  bool IsNormalized(Node& quotient) {
    if (quotient.inputs.size() != 2 || !IsLinear(quotient)) return false;
    const ValueId centred = quotient.inputs[0];
    Node* const root = Only(quotient.inputs[1], "Activation");
    if (root == nullptr || StringOr(*root, "activation", "") != "sqrt") return false;
    Node* const sum = Only(root->inputs[0], "Add");
    if (sum == nullptr || sum->inputs.size() != 2 || !IsLinear(*sum)) return false;
    const std::optional<float> epsilon = ScalarConstant(graph_, sum->inputs[1]);
    if (!epsilon.has_value() || !(*epsilon >= 0.0F)) return false;
    epsilon_ = double{*epsilon};
    Node* const variance = Only(sum->inputs[0], "Reduce");
    if (variance == nullptr || !IsMeanOfRows(*variance)) return false;
    Node* const square = uses_.OnlyUsedHere(graph_, variance->inputs[0]);
    if (square == nullptr || !IsSquareOf(*square, centred)) return false;
    Node* const difference = uses_.Producer(graph_, centred);
    if (difference == nullptr || difference->op != "Subtract" || !IsLinear(*difference) ||
        uses_.NumUses(centred) != 1 + static_cast<std::int64_t>(square->inputs.size())) {
      return false;
    }
    Node* const mean = Only(difference->inputs[1], "Reduce");
    x_ = difference->inputs[0];
    gone_.insert(gone_.end(), {&quotient, root, sum, variance, square, difference, mean});
    return mean != nullptr && IsMeanOfRows(*mean) && mean->inputs[0] == x_;
  }

  Node* Only(ValueId id, const char* op) {
    Node* const node = uses_.OnlyUsedHere(graph_, id);
    return node != nullptr && node->op == op ? node : nullptr;
  }

  [[nodiscard]] bool IsMeanOfRows(const Node& node) const {
    const auto rank = static_cast<std::int64_t>(At(graph_, node.inputs[0]).type.shape.size());
    const auto axes = node.Ints("axes", {});
    const auto keeps = node.Int("keep_dims", 0);
    return StringOr(node, "kind", "") == "mean" && keeps.ok() && *keeps != 0 && axes.ok() &&
           (*axes == std::vector<std::int64_t>{rank - 1} || *axes == std::vector<std::int64_t>{-1});
  }

  static bool IsSquareOf(const Node& node, ValueId x) {
    if (node.op == "Activation") {
      return StringOr(node, "activation", "") == "square" && node.inputs[0] == x;
    }
    return node.op == "Multiply" && IsLinear(node) && node.inputs == std::vector<ValueId>{x, x};
  }

  Graph& graph_;
  const ValueUses& uses_;
  ValueId x_ = kNoValue;
  ValueId gamma_ = kNoValue;
  ValueId beta_ = kNoValue;
  double epsilon_ = 0.0;
  std::vector<Node*> gone_;
};

}  // namespace

void FuseLayerNormalization(Graph& graph) {
  const ValueUses uses(graph);
  // From the last on, so that the scale and the bias come before what they are applied to.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    const bool may_end = node.op == "Add" || node.op == "Multiply" || node.op == "Divide";
    if (!may_end || node.outputs.size() != 1) continue;
    Match match(graph, uses);
    if (match.Find(node)) match.Replace(node);
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
