// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_attention.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/passes/value_uses.h"

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

// The one element of a float constant.
std::optional<float> Scalar(const Graph& graph, ValueId id) {
  const auto& constant = graph.values[static_cast<std::size_t>(id)].constant;
  if (!constant || constant->data_type() != DataType::kFloat32 ||
      constant->bytes().size() != sizeof(float)) {
    return std::nullopt;
  }
  return constant->as<float>()[0];
}

bool IsLinear(const Node& node) {
  const auto activation = node.String("activation", "linear");
  return activation.ok() && *activation == "linear";
}

// What a match has found: the nodes that go, and what the new one needs.
class Match {
 public:
  Match(Graph& graph, const ValueUses& uses) : graph_(graph), uses_(uses) {}

  // Whether `softmax` is that of an attention. Then `attention()` stands for all of its nodes.
  bool Find(Node& softmax, Node& context, Node& transpose) {
    const auto axis = softmax.Int("axis", -1);
    const bool is_over_keys = axis.ok() && (*axis == -1 || *axis == 3);
    if (!is_over_keys || ShapeOf(softmax.inputs[0]).size() != 4) return false;
    if (!IsFlag(context, "transpose_a", false) || !IsTranspose(transpose, kHeadsFirst)) {
      return false;
    }
    const ValueId scores = SkipScaling(softmax.inputs[0]);
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
    if (softmax.HasInput(1)) inputs_.push_back(softmax.inputs[1]);
    return std::isfinite(scale_) && DoShapesFit();
  }

  // Writes the attention over `node`, the last of its nodes, and strips the others.
  void Replace(Node& node) {
    for (Node* const gone : gone_) gone->outputs.clear();
    node.op = "Attention";
    node.inputs = inputs_;
    node.attributes = {{"scale", scale_}};
    // As Softmax does with a row that is masked from end to end.
    if (inputs_.size() > 3) node.attributes["zero_masked_rows"] = std::int64_t{1};
  }

 private:
  // The value that a chain of multiplications with constants, ending in `id`, began with.
  ValueId SkipScaling(ValueId id) {
    while (Node* const node = uses_.OnlyUsedHere(graph_, id)) {
      if ((node->op != "Multiply" && node->op != "Divide") || node->inputs.size() != 2 ||
          !IsLinear(*node)) {
        break;
      }
      const auto right = Scalar(graph_, node->inputs[1]);
      const auto left = node->op == "Multiply" ? Scalar(graph_, node->inputs[0]) : std::nullopt;
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
  std::vector<Node*> gone_;
  std::vector<ValueId> inputs_;
};

}  // namespace

void FuseAttention(Graph& graph) {
  const ValueUses uses(graph);
  for (Node& transpose : graph.nodes) {
    if (transpose.op != "Transpose" || transpose.inputs.size() != 1) continue;
    Node* const context = Producer(uses, graph, transpose.inputs[0], "MatMul", 2);
    if (context == nullptr) continue;
    Node* const softmax = uses.OnlyUsedHere(graph, context->inputs[0]);
    if (softmax == nullptr || softmax->op != "Softmax" || softmax->inputs.empty()) continue;
    Match match(graph, uses);
    if (match.Find(*softmax, *context, transpose)) match.Replace(transpose);
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
