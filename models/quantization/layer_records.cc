// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/layer_records.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/quantization/graph_edit.h"

namespace octet {

namespace {

using Inputs = WeightedInputs;

// A weight of a layer with the node that computes with it: the layer's path and `node` behind it.
struct ClassWeight {
  absl::string_view name;
  absl::string_view node;
};

// The classes that have integer modes, with their weights in serialized order.
struct QuantizedClass {
  absl::string_view layer_class;
  ClassWeight weight;
  ClassWeight second = {"", ""};
};
constexpr ClassWeight kKernel = {"kernel", ""};
constexpr ClassWeight kEmbeddings = {"embeddings", ""};
constexpr ClassWeight kReverseEmbeddings = {"reverse_embeddings", "/reverse"};
constexpr ClassWeight kDepthwise = {"depthwise_kernel", "/depthwise"};
constexpr ClassWeight kPointwise = {"pointwise_kernel", ""};
constexpr std::array kClasses = {
    QuantizedClass{"Conv1D", kKernel},
    QuantizedClass{"Conv2D", kKernel},
    QuantizedClass{"Conv3D", kKernel},
    QuantizedClass{"Dense", kKernel},
    QuantizedClass{"DepthwiseConv1D", kKernel},
    QuantizedClass{"DepthwiseConv2D", kKernel},
    QuantizedClass{"EinsumDense", kKernel},
    QuantizedClass{"Embedding", kEmbeddings},
    QuantizedClass{"ReversibleEmbedding", kEmbeddings, kReverseEmbeddings},
    QuantizedClass{"SeparableConv1D", kDepthwise, kPointwise},
    QuantizedClass{"SeparableConv2D", kDepthwise, kPointwise},
};

const ConstantTensor* ConstantAt(const Graph& graph, const Node& node, std::size_t index) {
  if (!node.HasInput(index)) return nullptr;
  const std::optional<ConstantTensor>& constant = ValueAt(graph, node.inputs[index]).constant;
  return constant.has_value() ? &*constant : nullptr;
}

bool HasIntegerWeight(const Graph& graph, const Node& node) {
  if (node.op != "FullyConnected" && node.op != "Gather" && !IsConvolution(node)) return false;
  const ConstantTensor* const weight = ConstantAt(graph, node, Inputs::kWeight);
  return weight != nullptr && ConstantAt(graph, node, Inputs::kScale) != nullptr &&
         (weight->data_type() == DataType::kInt8 || weight->data_type() == DataType::kInt4);
}

bool IsStoredByOutputs(const Node& node) {
  const auto transposed = node.Int("transpose_weight", 0);
  return transposed.ok() && *transposed != 0;
}

// The bytes of an int4 weight as int8, as safetensors and Keras store them.
ConstantTensor AsPackedBytes(const ConstantTensor& weight) {
  Dims dims = weight.dims();
  dims.back() = (dims.back() + 1) / 2;
  return ConstantTensor::Copy(DataType::kInt8, dims, weight.bytes());
}

// The same with two elements of a column in a byte, where `weight`, a matrix, has two of a row.
ConstantTensor AsBytesPackedByColumns(const ConstantTensor& weight) {
  const auto rows = static_cast<std::size_t>(weight.dims()[0]);
  const auto columns = static_cast<std::size_t>(weight.dims()[1]);
  const std::size_t row_bytes = (columns + 1) / 2;
  std::vector<std::byte> bytes((rows + 1) / 2 * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const std::byte pair = weight.bytes()[row * row_bytes + column / 2];
      const std::byte element = column % 2 == 0 ? pair & std::byte{0xf} : pair >> 4;
      bytes[row / 2 * columns + column] |= row % 2 == 0 ? element : element << 4;
    }
  }
  return ConstantTensor::Copy(DataType::kInt8,
                              {static_cast<std::int64_t>((rows + 1) / 2), weight.dims()[1]}, bytes);
}

// The weight in the shape in which the source stored it, where it has just as many elements: a
// Conv1D is a Conv2d in the graph.
ConstantTensor InShapeOf(const ConstantTensor& weight, const std::string& name,
                         const Layer& layer) {
  const auto stored =
      std::find_if(layer.variables.begin(), layer.variables.end(),
                   [&name](const LayerVariable& variable) { return variable.name == name; });
  if (stored == layer.variables.end() || layer.layer_class == "EinsumDense") return weight;
  const Dims& dims = stored->tensor.dims();
  if (NumElements(dims) != NumElements(weight.dims())) return weight;
  return ConstantTensor::Copy(weight.data_type(), dims, weight.bytes());
}

ConstantTensor GroupIndices(std::int64_t rows, std::int64_t group_size) {
  std::vector<float> indices;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t group = i / group_size;
    indices.push_back(static_cast<float>(group));
  }
  return ConstantTensor::Copy(DataType::kFloat32, {rows}, indices);
}

using NodesByName = absl::flat_hash_map<absl::string_view, const Node*>;

// A weight that has become integers.
struct IntegerWeight {
  std::string name;
  const Node* node;

  [[nodiscard]] std::int64_t group_size() const { return node->Int("group_size", 0).value_or(0); }
};

// Those of `layer`. A table that two nodes share is listed once, under its first name.
std::vector<IntegerWeight> IntegerWeightsOf(const Layer& layer, const QuantizedClass& layer_class,
                                            const Graph& graph, const NodesByName& nodes) {
  std::vector<IntegerWeight> weights;
  for (const ClassWeight& weight : {layer_class.weight, layer_class.second}) {
    if (weight.name.empty()) continue;
    const std::string name = absl::StrCat(layer.path, weight.node);
    const auto found = nodes.find(name);
    if (found == nodes.end() || !HasIntegerWeight(graph, *found->second)) continue;
    const Node* const node = found->second;
    if (IsStoredByOutputs(*node)) {
      // A tied ReversibleEmbedding: the same table as the first weight's, if that one is there.
      weights.assign({{std::string(layer_class.weight.name), node}});
    } else {
      weights.push_back({std::string(weight.name), node});
    }
  }
  return weights;
}

// Writes down what a layer becomes.
class LayerWriter {
 public:
  LayerWriter(const Layer& layer, const Graph& graph) : layer_(layer), graph_(graph) {
    result_ = layer;
    result_.variables.clear();
    result_.packing.reset();
    result_.mode = "int8";
    result_.config["activation_quantization"] = "none";
  }

  void AddWeight(const IntegerWeight& weight) {
    const ConstantTensor& tensor = *ConstantAt(graph_, *weight.node, Inputs::kWeight);
    const std::string quantization = StringOr(*weight.node, "activation_quantization", "none");
    if (quantization != "none") result_.config["activation_quantization"] = quantization;
    if (quantization == "static") result_.mode = "int8_static";
    group_size_ = std::max(group_size_, weight.group_size());
    if (tensor.data_type() != DataType::kInt4) {
      result_.variables.push_back({weight.name, InShapeOf(tensor, weight.name, layer_), ""});
      return;
    }
    result_.mode = "int4";
    const bool by_columns = weight.name == kReverseEmbeddings.name;
    if (!result_.packing.has_value()) {
      result_.packing =
          Packing{.bits = 4,
                  .axis = by_columns ? 0 : -1,
                  .original_length = by_columns ? tensor.dims()[0] : tensor.dims().back(),
                  .low_nibble_first = true,
                  .is_signed = true};
    }
    result_.variables.push_back(
        {weight.name, by_columns ? AsBytesPackedByColumns(tensor) : AsPackedBytes(tensor), ""});
  }

  // The node's, or the layer's own where that is added by another node.
  void AddBias(const Node& node) {
    if (node.op == "Gather") return;
    if (const ConstantTensor* const bias = ConstantAt(graph_, node, BiasIndex(node))) {
      result_.variables.push_back({"bias", *bias, ""});
      return;
    }
    for (const LayerVariable& variable : layer_.variables) {
      if (variable.name == "bias") result_.variables.push_back(variable);
    }
  }

  void AddScale(const IntegerWeight& weight) {
    result_.variables.push_back({absl::StrCat(weight.name, "_scale"),
                                 *ConstantAt(graph_, *weight.node, Inputs::kScale),
                                 StringOr(*weight.node, "scale_convention", "reciprocal")});
    if (weight.group_size() == 0) return;
    result_.variables.push_back({absl::StrCat(weight.name, "_zero"),
                                 *ConstantAt(graph_, *weight.node, Inputs::kZeroPoint), ""});
    const std::int64_t rows = ConstantAt(graph_, *weight.node, Inputs::kWeight)->dims()[0];
    result_.variables.push_back({"g_idx", GroupIndices(rows, weight.group_size()), ""});
  }

  Layer Finish() {
    const std::string policy = layer_.dtype_policy.empty() ? "float32" : layer_.dtype_policy;
    const std::string group = group_size_ > 0 ? absl::StrCat("/", group_size_) : "";
    result_.dtype_policy = absl::StrCat(result_.mode, group, "_from_", policy);
    return std::move(result_);
  }

 private:
  const Layer& layer_;
  const Graph& graph_;
  std::int64_t group_size_ = 0;
  Layer result_;
};

Layer QuantizedLayer(const Layer& layer, const Graph& graph,
                     const std::vector<IntegerWeight>& weights) {
  LayerWriter writer(layer, graph);
  // A ReversibleEmbedding has each table's scale behind it, the others have all kernels first.
  if (layer.layer_class == "ReversibleEmbedding") {
    for (const IntegerWeight& weight : weights) {
      writer.AddWeight(weight);
      writer.AddScale(weight);
    }
    return writer.Finish();
  }
  for (const IntegerWeight& weight : weights) writer.AddWeight(weight);
  writer.AddBias(*weights.back().node);
  for (const IntegerWeight& weight : weights) writer.AddScale(weight);
  return writer.Finish();
}

}  // namespace

std::vector<Layer> QuantizedLayers(const std::vector<Layer>& layers, const Graph& graph) {
  NodesByName nodes;
  for (const Node& node : graph.nodes) nodes.emplace(node.name, &node);
  std::vector<Layer> result;
  for (const Layer& layer : layers) {
    if (layer.layer_class == "BatchNormalization" && !nodes.contains(layer.path)) continue;
    const auto* const entry =
        std::find_if(kClasses.begin(), kClasses.end(), [&](const QuantizedClass& c) {
          return c.layer_class == layer.layer_class && layer.registered_name.empty();
        });
    const std::vector<IntegerWeight> weights = entry == kClasses.end()
                                                   ? std::vector<IntegerWeight>()
                                                   : IntegerWeightsOf(layer, *entry, graph, nodes);
    result.push_back(weights.empty() ? layer : QuantizedLayer(layer, graph, weights));
  }
  return result;
}

}  // namespace octet
