// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/layer_records.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/quantization/graph_edit.h"

namespace octet {

namespace {

using Inputs = WeightedInputs;

// The classes that have integer modes, with the name of their weight.
struct QuantizedClass {
  absl::string_view layer_class;
  absl::string_view weight;
};
constexpr std::array kClasses = {
    QuantizedClass{"Conv1D", "kernel"},          QuantizedClass{"Conv2D", "kernel"},
    QuantizedClass{"Dense", "kernel"},           QuantizedClass{"DepthwiseConv1D", "kernel"},
    QuantizedClass{"DepthwiseConv2D", "kernel"}, QuantizedClass{"EinsumDense", "kernel"},
    QuantizedClass{"Embedding", "embeddings"},
};

const ConstantTensor* ConstantAt(const Graph& graph, const Node& node, std::size_t index) {
  if (!node.HasInput(index)) return nullptr;
  const std::optional<ConstantTensor>& constant = ValueAt(graph, node.inputs[index]).constant;
  return constant.has_value() ? &*constant : nullptr;
}

// The bytes of an int4 weight as int8, as safetensors and Keras store them.
ConstantTensor AsPackedBytes(const ConstantTensor& weight) {
  Dims dims = weight.dims();
  dims.back() = (dims.back() + 1) / 2;
  return ConstantTensor::Copy(DataType::kInt8, dims, weight.bytes());
}

// The weight in the shape in which the source stored it, where it has just as many elements: a
// Conv1D is a Conv2d in the graph.
ConstantTensor InShapeOf(const ConstantTensor& weight, const Layer& layer) {
  if (layer.variables.empty() || layer.layer_class == "EinsumDense") return weight;
  const Dims& dims = layer.variables[0].tensor.dims();
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

// What `layer` becomes with the weight of `node`.
Layer QuantizedLayer(const Layer& layer, const Graph& graph, const Node& node,
                     absl::string_view weight_class_name) {
  const std::string weight_name(weight_class_name);
  const ConstantTensor& weight = *ConstantAt(graph, node, Inputs::kWeight);
  const bool is_int4 = weight.data_type() == DataType::kInt4;
  const bool is_static = StringOr(node, "activation_quantization", "none") == "static";
  const std::string convention = StringOr(node, "scale_convention", "reciprocal");
  const auto group_size = node.Int("group_size", 0).value_or(0);

  Layer result = layer;
  result.variables.clear();
  result.packing.reset();
  result.mode = is_static ? "int8_static" : is_int4 ? "int4" : "int8";
  const std::string policy = layer.dtype_policy.empty() ? "float32" : layer.dtype_policy;
  result.dtype_policy = group_size > 0
                            ? absl::StrCat(result.mode, "/", group_size, "_from_", policy)
                            : absl::StrCat(result.mode, "_from_", policy);
  result.config["activation_quantization"] = StringOr(node, "activation_quantization", "none");
  if (is_int4) {
    result.packing = Packing{.bits = 4,
                             .axis = -1,
                             .original_length = weight.dims().back(),
                             .low_nibble_first = true,
                             .is_signed = true};
    result.variables.push_back({weight_name, AsPackedBytes(weight), ""});
  } else {
    result.variables.push_back({weight_name, InShapeOf(weight, layer), ""});
  }
  const bool is_gather = node.op == "Gather";
  const ConstantTensor* const bias = is_gather ? nullptr : ConstantAt(graph, node, BiasIndex(node));
  if (bias != nullptr) result.variables.push_back({"bias", *bias, ""});
  result.variables.push_back(
      {absl::StrCat(weight_name, "_scale"), *ConstantAt(graph, node, Inputs::kScale), convention});
  if (group_size > 0) {
    result.variables.push_back(
        {absl::StrCat(weight_name, "_zero"), *ConstantAt(graph, node, Inputs::kZeroPoint), ""});
    result.variables.push_back({"g_idx", GroupIndices(weight.dims()[0], group_size), ""});
  }
  return result;
}

bool HasIntegerWeight(const Graph& graph, const Node& node) {
  if (node.op != "FullyConnected" && node.op != "Gather" && !IsConvolution(node)) return false;
  const ConstantTensor* const weight = ConstantAt(graph, node, Inputs::kWeight);
  return weight != nullptr && ConstantAt(graph, node, Inputs::kScale) != nullptr &&
         (weight->data_type() == DataType::kInt8 || weight->data_type() == DataType::kInt4);
}

}  // namespace

std::vector<Layer> QuantizedLayers(const std::vector<Layer>& layers, const Graph& graph) {
  std::vector<Layer> result;
  for (const Layer& layer : layers) {
    const auto node = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                   [&](const Node& n) { return n.name == layer.path; });
    const bool has_node = node != graph.nodes.end();
    if (layer.layer_class == "BatchNormalization" && !has_node) continue;
    const auto* const entry =
        std::find_if(kClasses.begin(), kClasses.end(), [&](const QuantizedClass& c) {
          return c.layer_class == layer.layer_class && layer.registered_name.empty();
        });
    if (!has_node || entry == kClasses.end() || !HasIntegerWeight(graph, *node)) {
      result.push_back(layer);
      continue;
    }
    result.push_back(QuantizedLayer(layer, graph, *node, entry->weight));
  }
  return result;
}

}  // namespace octet
