// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_gelu.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/value_uses.h"

namespace octet {
namespace {

// More operands than any way to write it has.
constexpr std::size_t kMostFactors = 6;

bool IsNear(double number, double wanted) { return std::abs(number - wanted) < 1e-4 * wanted; }

// A product, taken apart: a number times values.
struct Factors {
  double number = 1.0;
  std::vector<ValueId> values;
  std::vector<Node*> nodes;
};

class Match {
 public:
  Match(Graph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

  // Whether `product` is the last node of a gelu. Then Replace() makes one node of all of them.
  bool Find(Node& product) {
    Factors factors;
    if (!TakeApart(product, factors) || factors.values.size() != 2 ||
        !IsNear(factors.number, 0.5)) {
      return false;
    }
    for (const std::size_t side : {0U, 1U}) {
      x_ = factors.values[side];
      if (!AreAlikeFloats(graph_, x_, product.outputs[0])) continue;
      gone_ = factors.nodes;
      if (IsGate(factors.values[1 - side])) return true;
    }
    return false;
  }

  // Writes the activation over `node`, the last of its nodes, and strips the others.
  void Replace(Node& node) {
    for (Node* const gone : gone_) {
      if (gone != &node) gone->outputs.clear();
    }
    node.op = "Activation";
    node.inputs = {x_};
    node.attributes = {{"activation", std::string(is_tanh_ ? "gelu_tanh" : "gelu")}};
  }

 private:
  // The product of what `node` multiplies, other products that only it uses included.
  bool TakeApart(Node& node, Factors& factors) {
    if ((node.op != "Multiply" && node.op != "Divide") || node.inputs.size() != 2 ||
        !IsLinear(node)) {
      return false;
    }
    factors.nodes.push_back(&node);
    for (const std::size_t side : {0U, 1U}) {
      const ValueId id = node.inputs[side];
      if (const auto number = ScalarConstant(graph_, id)) {
        const bool divides = node.op == "Divide" && side == 1;
        factors.number = divides ? factors.number / *number : factors.number * *number;
        continue;
      }
      if (node.op == "Divide" && side == 1) return false;
      Node* const inner = uses_.OnlyUsedHere(graph_, id);
      if (inner != nullptr && (inner->op == "Multiply" || inner->op == "Divide") &&
          factors.nodes.size() < kMostFactors && TakeApart(*inner, factors)) {
        continue;
      }
      factors.values.push_back(id);
    }
    return factors.values.size() <= kMostFactors;
  }

  // Whether `id` is 1 + f(x) as one of the two forms has it.
  bool IsGate(ValueId id) {
    Node* const sum = uses_.OnlyUsedHere(graph_, id);
    const std::optional<ValueId> inside = sum == nullptr ? std::nullopt : AddedTo(*sum, 1.0);
    if (!inside.has_value()) return false;
    Node* const function = uses_.OnlyUsedHere(graph_, *inside);
    if (function == nullptr) return false;
    gone_.insert(gone_.end(), {sum, function});
    if (function->op == "ElementwiseFunction" && StringOr(*function, "function", "") == "erf") {
      is_tanh_ = false;
      return IsX(function->inputs[0], std::sqrt(0.5));
    }
    if (function->op == "Activation" && StringOr(*function, "activation", "") == "tanh") {
      is_tanh_ = true;
      return IsCubic(function->inputs[0]);
    }
    return false;
  }

  // What `node` adds `number` to.
  std::optional<ValueId> AddedTo(const Node& node, double number) const {
    if (node.op != "Add" || node.inputs.size() != 2 || !IsLinear(node)) return std::nullopt;
    for (const std::size_t side : {0U, 1U}) {
      const auto constant = ScalarConstant(graph_, node.inputs[side]);
      if (constant.has_value() && IsNear(*constant, number)) return node.inputs[1 - side];
    }
    return std::nullopt;
  }

  // Whether `id` is x times `factor`.
  bool IsX(ValueId id, double factor) {
    Node* const product = uses_.OnlyUsedHere(graph_, id);
    Factors factors;
    if (product == nullptr || !TakeApart(*product, factors)) return false;
    gone_.insert(gone_.end(), factors.nodes.begin(), factors.nodes.end());
    return factors.values == std::vector<ValueId>{x_} && IsNear(factors.number, factor);
  }

  // Whether `id` is sqrt(2 / pi) * (x + 0.044715 * x^3).
  bool IsCubic(ValueId id) {
    Node* const product = uses_.OnlyUsedHere(graph_, id);
    Factors outer;
    if (product == nullptr || !TakeApart(*product, outer) || outer.values.size() != 1 ||
        !IsNear(outer.number, std::sqrt(2.0 / M_PI))) {
      return false;
    }
    Node* const sum = uses_.OnlyUsedHere(graph_, outer.values[0]);
    if (sum == nullptr || sum->op != "Add" || sum->inputs.size() != 2 || !IsLinear(*sum)) {
      return false;
    }
    gone_.insert(gone_.end(), outer.nodes.begin(), outer.nodes.end());
    gone_.push_back(sum);
    for (const std::size_t side : {0U, 1U}) {
      if (sum->inputs[side] == x_) return IsCube(sum->inputs[1 - side]);
    }
    return false;
  }

  bool IsCube(ValueId id) {
    Node* const product = uses_.OnlyUsedHere(graph_, id);
    Factors factors;
    if (product == nullptr || !TakeApart(*product, factors) || !IsNear(factors.number, 0.044715)) {
      return false;
    }
    gone_.insert(gone_.end(), factors.nodes.begin(), factors.nodes.end());
    if (factors.values == std::vector<ValueId>{x_, x_, x_}) return true;
    if (factors.values.size() != 1) return false;
    Node* const power = uses_.OnlyUsedHere(graph_, factors.values[0]);
    if (power == nullptr || power->op != "Power" || power->inputs[0] != x_ ||
        ScalarConstant(graph_, power->inputs[1]) != 3.0F || !IsLinear(*power)) {
      return false;
    }
    gone_.push_back(power);
    return true;
  }

  Graph& graph_;
  const ValueUses& uses_;
  ValueId x_ = kNoValue;
  bool is_tanh_ = false;
  std::vector<Node*> gone_;
};

}  // namespace

void FuseGelu(Graph& graph) {
  const ValueUses uses(graph);
  // From the last on, so that the whole of a product is seen before a part of it.
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    if (node.op != "Multiply" || node.outputs.empty()) continue;
    Match match(graph, uses);
    if (match.Find(node)) match.Replace(node);
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
