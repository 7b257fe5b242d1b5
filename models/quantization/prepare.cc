// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/prepare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/quantization/graph_edit.h"

namespace octet {

namespace {

constexpr double kDefaultEpsilon = 1e-3;

// How often `id` is used, by nodes and as an output.
std::size_t NumUses(const Graph& graph, ValueId id) {
  std::size_t uses =
      static_cast<std::size_t>(std::count(graph.outputs.begin(), graph.outputs.end(), id));
  for (const Node& node : graph.nodes) {
    uses += static_cast<std::size_t>(std::count(node.inputs.begin(), node.inputs.end(), id));
  }
  return uses;
}

// The node that computes `id`, if `node` alone uses it.
Node* OnlyProducer(Graph& graph, ValueId id) {
  if (id == kNoValue || NumUses(graph, id) != 1) return nullptr;
  for (Node& node : graph.nodes) {
    if (node.outputs.size() == 1 && node.outputs[0] == id) return &node;
  }
  return nullptr;
}

bool IsLinear(const Node& node) { return StringOr(node, "activation", "linear") == "linear"; }

// The elements of `node`'s input `index`, or `count` times `fallback` where there is none; nullopt
// if it is not a constant of `count` floats.
std::optional<std::vector<float>> Vector(const Graph& graph, const Node& node, std::size_t index,
                                         std::size_t count, float fallback) {
  if (!node.HasInput(index)) return std::vector<float>(count, fallback);
  const ConstantTensor* const constant = FloatConstant(graph, node, index);
  if (constant == nullptr || constant->bytes().size() != count * sizeof(float)) {
    return std::nullopt;
  }
  return ElementsOf(*constant);
}

// Folds `norm` into `node`. Returns whether it could.
bool Fold(Graph& graph, Node& node, const Node& norm) {
  const std::size_t bias_index = BiasIndex(node);
  WeightMatrix matrix = WeightOf(graph, node);
  const std::size_t columns = matrix.columns;
  const auto bias = Vector(graph, node, bias_index, columns, 0.0F);
  const auto gamma = Vector(graph, norm, 1, columns, 1.0F);
  const auto beta = Vector(graph, norm, 2, columns, 0.0F);
  const auto mean = Vector(graph, norm, 3, columns, 0.0F);
  const auto variance = Vector(graph, norm, 4, columns, 1.0F);
  const auto epsilon = norm.Float("epsilon", kDefaultEpsilon);
  if (!bias || !gamma || !beta || !mean || !variance || !epsilon.ok()) return false;
  std::vector<double> factor(columns);
  std::vector<float> new_bias(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    const double deviation = std::sqrt(static_cast<double>((*variance)[i]) + *epsilon);
    factor[i] = static_cast<double>((*gamma)[i]) / deviation;
    new_bias[i] = static_cast<float>(
        (static_cast<double>((*bias)[i]) - static_cast<double>((*mean)[i])) * factor[i] +
        static_cast<double>((*beta)[i]));
    if (!std::isfinite(factor[i]) || !std::isfinite(new_bias[i])) return false;
  }
  for (std::size_t i = 0; i < matrix.elements.size(); ++i) {
    matrix.elements[i] =
        static_cast<float>(static_cast<double>(matrix.elements[i]) * factor[i % columns]);
  }
  const std::string base = ValueAt(graph, node.inputs[WeightedInputs::kWeight]).name;
  node.inputs[WeightedInputs::kWeight] =
      AddUniqueConstant(graph, absl::StrCat(base, "/folded"),
                        ConstantTensor::Copy(DataType::kFloat32, matrix.dims, matrix.elements));
  if (node.inputs.size() <= bias_index) node.inputs.resize(bias_index + 1, kNoValue);
  node.inputs[bias_index] = AddUniqueConstant(
      graph, absl::StrCat(node.name, "/bias"),
      ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(columns)}, new_bias));
  node.attributes.erase("transpose_weight");
  return true;
}

bool NormalizesLastAxis(const Graph& graph, const Node& norm) {
  const auto rank = static_cast<std::int64_t>(ValueAt(graph, norm.inputs[0]).type.shape.size());
  const auto axis = norm.Int("axis", -1);
  return axis.ok() && (*axis == -1 || *axis == rank - 1);
}

// Whether `node` is a relu or relu6 without parameters of its own.
bool IsPlainClip(const Node& node) {
  return node.op == "Activation" && HasClippingActivation(node) && !IsLinear(node);
}

}  // namespace

bool HasClippingActivation(const Node& node) {
  const std::string activation = StringOr(node, "activation", "linear");
  if (activation == "linear" || activation == "relu6") return true;
  const bool has_parameters =
      std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
        return absl::StartsWith(attribute.first, "activation_") &&
               attribute.first != "activation_quantization";
      });
  return activation == "relu" && !has_parameters;
}

void FoldBatchNormalizations(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node norm = graph.nodes[i];
    if (norm.op != "BatchNormalization" || norm.inputs.empty()) continue;
    Node* const producer = OnlyProducer(graph, norm.inputs[0]);
    if (producer == nullptr || !IsLinear(*producer) || !HasFloatWeight(graph, *producer) ||
        !NormalizesLastAxis(graph, norm) || !Fold(graph, *producer, norm)) {
      continue;
    }
    producer->outputs = norm.outputs;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    --i;
  }
  RemoveUnusedValues(graph);
}

void FuseClippingActivations(Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node clip = graph.nodes[i];
    if (!IsPlainClip(clip)) continue;
    Node* const producer = OnlyProducer(graph, clip.inputs[0]);
    if (producer == nullptr || !IsLinear(*producer) ||
        (producer->op != "Add" && !HasFloatWeight(graph, *producer))) {
      continue;
    }
    producer->attributes["activation"] = StringOr(clip, "activation", "linear");
    producer->outputs = clip.outputs;
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    --i;
  }
  RemoveUnusedValues(graph);
}

void SplitOtherActivations(Graph& graph) {
  std::vector<Node> nodes;
  for (Node node : std::exchange(graph.nodes, {})) {
    const std::string activation = StringOr(node, "activation", "linear");
    if (!HasFloatWeight(graph, node) || HasClippingActivation(node) || activation == "softmax" ||
        activation == "log_softmax") {
      nodes.push_back(std::move(node));
      continue;
    }
    const Value result = ValueAt(graph, node.outputs[0]);
    const ValueId before = graph.AddValue(
        UniqueValueName(graph, absl::StrCat(result.name, "/before_activation")), result.type);
    Node own{absl::StrCat(node.name, "/activation"), "Activation", {before}, node.outputs, {}};
    for (auto attribute = node.attributes.begin(); attribute != node.attributes.end();) {
      const bool is_activation =
          attribute->first == "activation" || (absl::StartsWith(attribute->first, "activation_") &&
                                               attribute->first != "activation_quantization");
      if (is_activation) own.attributes.insert(*attribute);
      attribute = is_activation ? node.attributes.erase(attribute) : std::next(attribute);
    }
    node.outputs = {before};
    nodes.push_back(std::move(node));
    nodes.push_back(std::move(own));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace octet
