// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_attention.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/passes/remove_unused_nodes.h"
#include "models/graph/value_uses.h"

namespace octet {
namespace {

using Permutation = std::vector<std::int64_t>;

// [N, T, heads, width] to [N, heads, T, width], and back.
const Permutation kHeadsFirst = {0, 2, 1, 3};
// [N, T, heads, width] to [N, heads, width, T].
const Permutation kHeadsFirstTransposed = {0, 2, 3, 1};

// The node called `op` with `num_inputs` inputs whose only output is `id`, used once; else null.
Node* Producer(const ValueUses& uses, Graph& graph, ValueId id, const char* op,
               std::size_t num_inputs) {
  Node* const node = uses.OnlyUsedHere(graph, id);
  return node != nullptr && node->op == op && node->inputs.size() == num_inputs ? node : nullptr;
}

bool IsTranspose(const Node& node, const Permutation& wanted) {
  const auto permutation = node.Ints("permutation", {});
  return node.op == "Transpose" && permutation.ok() && *permutation == wanted;
}

bool IsFlag(const Node& node, const char* key, bool wanted) {
  const auto flag = node.Int(key, 0);
  return flag.ok() && (*flag != 0) == wanted;
}

// Added to a score, it leaves a key no weight at all: exp() of less is 0 by far.
constexpr float kNoWeight = -1e4F;

// What a match has found: the nodes that go, and what the new one needs.
class Match {
 public:
  Match(Graph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

  // Whether `context` is the product of an attention's weights with its values, and `transpose`
  // what follows. Then Replace() makes one node of all of them.
  bool Find(Node& context, Node& transpose) {
    Node* const softmax = Weights(context.inputs[0]);
    return softmax != nullptr && FindBefore(*softmax, context, transpose);
  }

  // Writes the attention over `node`, the last of its nodes, and strips the others.
  void Replace(Node& node) {
    for (Node* const gone : gone_) gone->outputs.clear();
    node.op = "Attention";
    node.inputs = inputs_;
    node.attributes = {{"scale", scale_}};
    if (inputs_.size() > 3 && zeroes_masked_rows_) {
      node.attributes["zero_masked_rows"] = std::int64_t{1};
    }
  }

 private:
  // The softmax that `weights` come from: as they are, or with 0 in place of every NaN, which is
  // what a row without a key has where infinity is subtracted.
  Node* Weights(ValueId weights) {
    Node* const node = uses_.OnlyUsedHere(graph_, weights);
    if (node == nullptr || node->op != "Where") return Softmax(node);
    const ValueId inside = node->inputs[2];
    Node* const is_nan = uses_.OnlyUsedHere(graph_, node->inputs[0]);
    if (is_nan == nullptr || is_nan->op != "NotEqual" ||
        is_nan->inputs != std::vector<ValueId>{inside, inside} ||
        ScalarConstant(graph_, node->inputs[1]) != 0.0F || uses_.NumUses(inside) != 3 ||
        !AreAlikeFloats(graph_, weights, inside)) {
      return nullptr;
    }
    gone_.insert(gone_.end(), {node, is_nan});
    return Softmax(uses_.Producer(graph_, inside));
  }
  static Node* Softmax(Node* node) {
    return node != nullptr && node->op == "Softmax" && !node->inputs.empty() ? node : nullptr;
  }

  bool FindBefore(Node& softmax, Node& context, Node& transpose) {
    const auto axis = softmax.Int("axis", -1);
    const bool is_over_keys = axis.ok() && (*axis == -1 || *axis == 3);
    if (!is_over_keys || ShapeOf(softmax.inputs[0]).size() != 4) return false;
    if (!IsFlag(context, "transpose_a", false) || !IsTranspose(transpose, kHeadsFirst)) {
      return false;
    }
    const ValueId scores = SkipScaling(SkipMask(softmax));
    Node* const product = Producer(uses_, graph_, scores, "MatMul", 2);
    if (product == nullptr || !IsFlag(*product, "transpose_a", false)) return false;
    // A factor of the query or the key is one of the scores.
    const auto query = Source(SkipScaling(product->inputs[0]), kHeadsFirst);
    const bool is_key_transposed = IsFlag(*product, "transpose_b", true);
    const auto key = Source(SkipScaling(product->inputs[1]),
                            is_key_transposed ? kHeadsFirst : kHeadsFirstTransposed);
    const auto value = Source(context.inputs[1], kHeadsFirst);
    if (!query || !key || !value || !IsFlag(context, "transpose_b", false)) return false;
    gone_.insert(gone_.end(), {product, &softmax, &context});
    inputs_ = {SkipScaling(*query), SkipScaling(*key), *value};
    if (mask_ != kNoValue) inputs_.push_back(mask_);
    return std::isfinite(scale_) && DoShapesFit();
  }

  // The scores that `softmax` takes, without what masks them.
  ValueId SkipMask(Node& softmax) {
    const ValueId masked = softmax.inputs[0];
    if (softmax.HasInput(1)) {
      mask_ = softmax.inputs[1];
      zeroes_masked_rows_ = true;  // as Softmax does with a row that is masked from end to end
      return masked;
    }
    Node* const node = uses_.OnlyUsedHere(graph_, masked);
    if (node == nullptr || node->inputs.size() < 2) return masked;
    if (node->op == "Where") {
      // The scores, or a number in their place.
      for (const std::size_t kept : {1U, 2U}) {
        if (AreAlikeFloats(graph_, masked, node->inputs[kept]) &&
            TakeMask(node->inputs[0], kept == 1, node->inputs[3 - kept])) {
          gone_.push_back(node);
          return node->inputs[kept];
        }
      }
    }
    if (node->op != "Add" || !IsLinear(*node)) return masked;
    for (const std::size_t side : {0U, 1U}) {
      // A sum of the scores with 0, or a number.
      const Node* const addend = uses_.Producer(graph_, node->inputs[side]);
      if (addend == nullptr || addend->op != "Where" ||
          !AreAlikeFloats(graph_, masked, node->inputs[1 - side])) {
        continue;
      }
      for (const std::size_t kept : {1U, 2U}) {
        if (ScalarConstant(graph_, addend->inputs[kept]) == 0.0F &&
            TakeMask(addend->inputs[0], kept == 1, addend->inputs[3 - kept])) {
          gone_.push_back(node);
          return node->inputs[1 - side];
        }
      }
    }
    return masked;
  }

  // Takes `condition`, or what it is the opposite of, as the mask if `other` leaves a key no
  // weight and the mask fits.
  bool TakeMask(ValueId condition, bool is_kept_where_true, ValueId other) {
    const std::optional<float> number = ScalarConstant(graph_, other);
    if (!number.has_value() || !(*number <= kNoWeight)) return false;
    ValueId mask = condition;
    if (!is_kept_where_true) {
      const Node* const opposite = uses_.Producer(graph_, condition);
      if (opposite == nullptr || opposite->op != "Not") return false;
      mask = opposite->inputs[0];
    }
    if (graph_.values[static_cast<std::size_t>(mask)].constant.has_value()) return false;
    mask_ = mask;
    // Of a row that has only keys without a weight, a finite number leaves the mean of all values.
    zeroes_masked_rows_ = std::isinf(*number);
    return true;
  }

  // The value that a chain of multiplications with constants, ending in `id`, began with.
  ValueId SkipScaling(ValueId id) {
    while (Node* const node = uses_.OnlyUsedHere(graph_, id)) {
      if ((node->op != "Multiply" && node->op != "Divide") || node->inputs.size() != 2 ||
          !IsLinear(*node)) {
        break;
      }
      const auto right = ScalarConstant(graph_, node->inputs[1]);
      const auto left =
          node->op == "Multiply" ? ScalarConstant(graph_, node->inputs[0]) : std::nullopt;
      if (!right && !left) break;
      const double factor = right ? *right : *left;
      scale_ = node->op == "Divide" ? scale_ / factor : scale_ * factor;
      id = node->inputs[right ? 0 : 1];
      gone_.push_back(node);
    }
    return id;
  }

  // What was transposed into `id`.
  std::optional<ValueId> Source(ValueId id, const Permutation& permutation) {
    Node* const node = Producer(uses_, graph_, id, "Transpose", 1);
    if (node == nullptr || !IsTranspose(*node, permutation)) return std::nullopt;
    gone_.push_back(node);
    return node->inputs[0];
  }

  // What Attention wants beyond what the two products do.
  [[nodiscard]] bool DoShapesFit() const {
    const Shape& query = ShapeOf(inputs_[0]);
    const Shape& key = ShapeOf(inputs_[1]);
    const Shape& value = ShapeOf(inputs_[2]);
    for (const Shape* shape : {&query, &key, &value}) {
      for (const std::size_t axis : {2U, 3U}) {
        if (!(*shape)[axis].is_constant() || (*shape)[axis].value() < 1) return false;
      }
    }
    return key[0] == query[0] && value[0] == query[0] && key[2] == value[2] &&
           query[2].value() % key[2].value() == 0 && key[1] != Dim(0);
  }

  [[nodiscard]] const Shape& ShapeOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].type.shape;
  }

  Graph& graph_;
  const ValueUses& uses_;
  double scale_ = 1.0;
  ValueId mask_ = kNoValue;
  bool zeroes_masked_rows_ = false;
  std::vector<Node*> gone_;
  std::vector<ValueId> inputs_;
};

}  // namespace

void FuseAttention(Graph& graph) {
  const ValueUses uses(graph);
  bool is_changed = false;
  for (Node& transpose : graph.nodes) {
    if (transpose.op != "Transpose" || transpose.inputs.size() != 1) continue;
    Node* const context = Producer(uses, graph, transpose.inputs[0], "MatMul", 2);
    if (context == nullptr) continue;
    Match match(graph, uses);
    if (!match.Find(*context, transpose)) continue;
    match.Replace(transpose);
    is_changed = true;
  }
  EraseNodesWithoutOutputs(graph);
  // A sum that masked scores may have been made for them alone.
  if (is_changed) RemoveUnusedNodes(graph);
}

}  // namespace octet
