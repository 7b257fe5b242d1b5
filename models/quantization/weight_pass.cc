// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/weight_pass.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/unique_names.h"
#include "models/quantization/graph_edit.h"
#include "models/quantization/weights.h"

namespace octet {

namespace {

using Inputs = WeightedInputs;
constexpr std::int64_t kGroupSize = 128;
constexpr int kInt8Limit = 127;
constexpr int kInt4Limit = 7;

absl::Status CheckFinite(const Node& node, std::span<const float> weight) {
  for (const float value : weight) {
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\": a weight is ", value));
    }
  }
  return absl::OkStatus();
}

ConstantTensor Int4Tensor(const Dims& dims, std::span<const std::int8_t> values) {
  const std::vector<std::int8_t> packed =
      PackNibbles(values, static_cast<std::size_t>(dims.back()));
  return ConstantTensor::Copy(DataType::kInt4, dims, std::as_bytes(std::span(packed)),
                              static_cast<int>(dims.size()) - 1);
}

void SetInput(Node& node, std::size_t index, ValueId id) {
  if (node.inputs.size() <= index) node.inputs.resize(index + 1, kNoValue);
  node.inputs[index] = id;
}

// The graph that is rewritten, and names for what is added to it.
struct Target {
  explicit Target(Graph& rewritten) : graph(rewritten), names(rewritten.values) {}
  ValueId AddConstant(const std::string& wanted, ConstantTensor tensor) {
    return graph.AddConstant(names.Take(wanted), std::move(tensor));
  }

  Graph& graph;
  UniqueNames names;
};

void AddWeight(Target& target, Node& node, ConstantTensor weight, const std::vector<float>& scale,
               Dims scale_dims) {
  const std::string base = ValueAt(target.graph, node.inputs[Inputs::kWeight]).name;
  SetInput(node, Inputs::kWeight,
           target.AddConstant(absl::StrCat(base, "/quantized"), std::move(weight)));
  SetInput(
      node, Inputs::kScale,
      target.AddConstant(absl::StrCat(base, "/scale"),
                         ConstantTensor::Copy(DataType::kFloat32, std::move(scale_dims), scale)));
}

void QuantizeByColumns(Target& target, Node& node, const WeightMatrix& matrix, int bits) {
  const ChannelWeights weights =
      QuantizeByColumn(matrix.elements, matrix.columns, bits == 4 ? kInt4Limit : kInt8Limit,
                       WeightConvention::kReciprocal);
  AddWeight(target, node,
            bits == 4 ? Int4Tensor(matrix.dims, weights.values)
                      : ConstantTensor::Copy(DataType::kInt8, matrix.dims, weights.values),
            weights.scale, {static_cast<std::int64_t>(matrix.columns)});
  node.attributes["scale_convention"] = std::string("reciprocal");
}

void QuantizeByGroups(Target& target, Node& node, const WeightMatrix& matrix) {
  const GroupedWeights weights =
      QuantizeByGroup(matrix.elements, matrix.columns, static_cast<std::size_t>(kGroupSize));
  const auto columns = static_cast<std::int64_t>(matrix.columns);
  const auto groups =
      static_cast<std::int64_t>(weights.scale.size()) / std::max(columns, std::int64_t{1});
  const std::string base = ValueAt(target.graph, node.inputs[Inputs::kWeight]).name;
  AddWeight(target, node, Int4Tensor(matrix.dims, weights.values), weights.scale,
            {groups, columns});
  SetInput(node, Inputs::kZeroPoint,
           target.AddConstant(
               absl::StrCat(base, "/zero_point"),
               ConstantTensor::Copy(DataType::kInt8, {groups, columns}, weights.zero_point)));
  node.attributes["scale_convention"] = std::string("multiply");
  node.attributes["group_size"] = kGroupSize;
}

bool IsInt4(QuantizationMode mode) {
  return mode == QuantizationMode::kInt4 || mode == QuantizationMode::kInt4Dynamic;
}

bool IsDynamic(QuantizationMode mode) {
  return mode == QuantizationMode::kInt8Dynamic || mode == QuantizationMode::kInt4Dynamic;
}

// Tables of rows: what a Gather looks up in, and a weight that is stored by outputs, which may be
// the very same table (a tied embedding). Each gets one scale a row.
class TableQuantizer {
 public:
  TableQuantizer(Target& target, int bits) : target_(target), bits_(bits) {}

  // Nodes that share a table share what becomes of it.
  absl::Status Quantize(Node& node) {
    const ConstantTensor* const table = FloatConstant(target_.graph, node, Inputs::kWeight);
    if (table == nullptr || table->dims().size() != 2 || table->bytes().empty() ||
        node.HasInput(Inputs::kScale)) {
      return absl::OkStatus();
    }
    const ValueId source = node.inputs[Inputs::kWeight];
    const auto known = quantized_.find(source);
    if (known != quantized_.end()) {
      SetInput(node, Inputs::kWeight, known->second.first);
      SetInput(node, Inputs::kScale, known->second.second);
    } else {
      const std::vector<float> elements = ElementsOf(*table);
      RETURN_IF_ERROR(CheckFinite(node, elements));
      const Dims dims = table->dims();
      const ChannelWeights weights = QuantizeByRow(elements, static_cast<std::size_t>(dims[1]),
                                                   bits_ == 4 ? kInt4Limit : kInt8Limit);
      AddWeight(target_, node,
                bits_ == 4 ? Int4Tensor(dims, weights.values)
                           : ConstantTensor::Copy(DataType::kInt8, dims, weights.values),
                weights.scale, {dims[0]});
      quantized_[source] = {node.inputs[Inputs::kWeight], node.inputs[Inputs::kScale]};
    }
    node.attributes["scale_convention"] = std::string("reciprocal");
    return absl::OkStatus();
  }

 private:
  Target& target_;
  const int bits_;
  std::map<ValueId, std::pair<ValueId, ValueId>> quantized_;  // table to integers and scale
};

bool IsStoredByOutputs(const Node& node) {
  const auto transposed = node.Int("transpose_weight", 0);
  return node.op == "FullyConnected" && transposed.ok() && *transposed != 0;
}

absl::Status QuantizeNode(Target& target, Node& node, QuantizationMode mode,
                          TableQuantizer& tables) {
  const WeightMatrix matrix = WeightOf(target.graph, node);
  if (matrix.columns == 0 || matrix.elements.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckFinite(node, matrix.elements));
  const bool int4 = IsInt4(mode) && !IsConvolution(node);
  if (IsStoredByOutputs(node)) {
    RETURN_IF_ERROR(tables.Quantize(node));
  } else if (int4 && mode == QuantizationMode::kInt4) {
    QuantizeByGroups(target, node, matrix);
  } else {
    QuantizeByColumns(target, node, matrix, int4 ? 4 : 8);
  }
  node.attributes["activation_quantization"] = std::string(IsDynamic(mode) ? "dynamic" : "none");
  return absl::OkStatus();
}

absl::Status QuantizeGathers(Graph& graph, TableQuantizer& tables) {
  for (Node& node : graph.nodes) {
    if (node.op == "Gather") RETURN_IF_ERROR(tables.Quantize(node));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status QuantizeWeights(Graph& graph, QuantizationMode mode) {
  Target target(graph);
  TableQuantizer tables(target, IsInt4(mode) ? 4 : 8);
  for (Node& node : graph.nodes) {
    if (!HasFloatWeight(graph, node)) continue;
    RETURN_IF_ERROR(QuantizeNode(target, node, mode, tables));
  }
  return QuantizeGathers(graph, tables);
}

absl::Status QuantizeEmbeddings(Graph& graph, int bits) {
  Target target(graph);
  TableQuantizer tables(target, bits);
  return QuantizeGathers(graph, tables);
}

}  // namespace octet
