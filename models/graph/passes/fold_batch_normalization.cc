// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fold_batch_normalization.h"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/graph/unique_names.h"
#include "models/graph/value_uses.h"

namespace octet {
namespace {

constexpr double kDefaultEpsilon = 1e-3;  // BatchNormalization's
constexpr std::size_t kWeight = 1;

const Value& ValueAt(const Graph& graph, ValueId id) {
  return graph.values[static_cast<std::size_t>(id)];
}

// What a weighted node computes per output channel.
struct Channels {
  std::size_t count = 0;
  // Elements of the weight from one channel to the next: 1 where the channels are its last
  // dimensions, all of a channel's where they are the first.
  std::size_t stride = 1;
  std::size_t bias_index = 0;
};

// Nullopt if `node` is not one that a normalization can be folded into.
std::optional<Channels> ChannelsOf(const Graph& graph, const Node& node) {
  const bool is_dense = node.op == "FullyConnected";
  const bool is_depthwise = node.op == "DepthwiseConv2d";
  const bool is_volume = node.op == "Conv3d";
  if (!is_dense && !is_depthwise && !is_volume && node.op != "Conv2d") return std::nullopt;
  const std::size_t bias_index = is_dense ? 4 : 3;
  for (std::size_t i = kWeight + 1; i < node.inputs.size(); ++i) {
    if (i != bias_index && node.HasInput(i)) return std::nullopt;  // quantized in some way
  }
  const auto activation = node.String("activation", "linear");
  const auto quantization = node.String("activation_quantization", "none");
  const auto transposed = node.Int("transpose_weight", 0);
  if (!activation.ok() || *activation != "linear" || !quantization.ok() ||
      *quantization != "none" || !transposed.ok() || !node.HasInput(kWeight)) {
    return std::nullopt;
  }
  const auto& weight = ValueAt(graph, node.inputs[kWeight]).constant;
  if (!weight || weight->data_type() != DataType::kFloat32) return std::nullopt;
  const Dims& dims = weight->dims();
  const std::size_t rank = is_dense ? 2 : is_volume ? 5 : 4;
  if (dims.size() != rank) return std::nullopt;
  if (is_dense && *transposed != 0) {
    return Channels{static_cast<std::size_t>(dims[0]), static_cast<std::size_t>(dims[1]),
                    bias_index};
  }
  const std::int64_t count = is_depthwise ? dims[2] * dims[3] : dims.back();
  return Channels{static_cast<std::size_t>(count), 1, bias_index};
}

// The `count` floats at `node`'s input, or `fallback` where it is absent; nullopt if it is anything
// else.
std::optional<std::vector<double>> Vector(const Graph& graph, const Node& node, std::size_t index,
                                          std::size_t count, double fallback) {
  if (!node.HasInput(index)) return std::vector<double>(count, fallback);
  const auto& constant = ValueAt(graph, node.inputs[index]).constant;
  if (!constant || constant->data_type() != DataType::kFloat32 ||
      constant->bytes().size() != count * sizeof(float)) {
    return std::nullopt;
  }
  const auto elements = constant->as<float>();
  return std::vector<double>(elements.begin(), elements.end());
}

bool NormalizesLastAxis(const Graph& graph, const Node& norm) {
  const auto rank = static_cast<std::int64_t>(ValueAt(graph, norm.inputs[0]).type.shape.size());
  const auto axis = norm.Int("axis", -1);
  return axis.ok() && (*axis == -1 || *axis == rank - 1);
}

struct Folded {
  ConstantTensor weight;
  ConstantTensor bias;
};

std::optional<Folded> Fold(const Graph& graph, const Node& node, const Channels& channels,
                           const Node& norm) {
  const std::size_t count = channels.count;
  const auto bias = Vector(graph, node, channels.bias_index, count, 0);
  const auto gamma = Vector(graph, norm, 1, count, 1);
  const auto beta = Vector(graph, norm, 2, count, 0);
  const auto mean = Vector(graph, norm, 3, count, 0);
  const auto variance = Vector(graph, norm, 4, count, 1);
  const auto epsilon = norm.Float("epsilon", kDefaultEpsilon);
  if (!bias || !gamma || !beta || !mean || !variance || !epsilon.ok()) return std::nullopt;
  std::vector<double> factors(count);
  std::vector<float> new_bias(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double factor = (*gamma)[i] / std::sqrt((*variance)[i] + *epsilon);
    const double shifted = ((*bias)[i] - (*mean)[i]) * factor + (*beta)[i];
    factors[i] = factor;
    new_bias[i] = static_cast<float>(shifted);
    if (!std::isfinite(new_bias[i])) return std::nullopt;
  }
  const ConstantTensor& weight = *ValueAt(graph, node.inputs[kWeight]).constant;
  const auto elements = weight.as<float>();
  std::vector<float> scaled(elements.size());
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double factor = factors[i / channels.stride % count];
    scaled[i] = static_cast<float>(static_cast<double>(elements[i]) * factor);
    if (!std::isfinite(scaled[i])) return std::nullopt;
  }
  return Folded{
      ConstantTensor::Copy(DataType::kFloat32, weight.dims(), scaled),
      ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(count)}, new_bias)};
}

}  // namespace

void FoldBatchNormalization(Graph& graph) {
  ValueUses uses(graph);
  UniqueNames names(graph.values);
  for (Node& norm : graph.nodes) {
    if (norm.op != "BatchNormalization" || norm.inputs.empty() || norm.outputs.size() != 1 ||
        !NormalizesLastAxis(graph, norm)) {
      continue;
    }
    Node* const node = uses.OnlyUsedHere(graph, norm.inputs[0]);
    if (node == nullptr) continue;
    const std::optional<Channels> channels = ChannelsOf(graph, *node);
    if (!channels || channels->count == 0) continue;
    std::optional<Folded> folded = Fold(graph, *node, *channels, norm);
    if (!folded) continue;
    const auto bias_index = channels->bias_index;
    if (node->inputs.size() <= bias_index) node->inputs.resize(bias_index + 1, kNoValue);
    const std::string folded_name =
        absl::StrCat(ValueAt(graph, node->inputs[kWeight]).name, "/folded");
    node->inputs[kWeight] = graph.AddConstant(names.Take(folded_name), std::move(folded->weight));
    node->inputs[bias_index] =
        graph.AddConstant(names.Take(absl::StrCat(node->name, "/bias")), std::move(folded->bias));
    uses.TakeProducer(norm.outputs[0], norm.inputs[0]);
    node->outputs = norm.outputs;
    norm.outputs.clear();
  }
  EraseNodesWithoutOutputs(graph);
}

}  // namespace octet
