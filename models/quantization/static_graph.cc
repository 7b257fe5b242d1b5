// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/static_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/unique_names.h"
#include "models/quantization/graph_edit.h"
#include "models/quantization/split_activations.h"
#include "models/quantization/weights.h"

namespace octet {

namespace {

constexpr int kLimit = 127;
constexpr double kLowest = -128.0;
constexpr double kHighest = 127.0;
// Biases stay below this, so that no sum of products and bias overflows int32.
constexpr double kMaxBias = 1 << 29;

template <std::size_t n>
bool IsOneOf(const std::array<absl::string_view, n>& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The result has the quantization of the input.
bool KeepsQuantization(const Node& node) {
  static constexpr std::array<absl::string_view, 9> kOperators = {
      "AveragePool2d", "Identity", "MaxPool2d", "MaxPool3d", "Pad",
      "Reshape",       "Slice",    "Tile",      "Transpose"};
  if (IsOneOf(kOperators, node.op)) return true;
  const std::string kind = StringOr(node, "kind", "");
  return node.op == "Reduce" && (kind == "mean" || kind == "max");
}

// The result has a quantization of its own.
bool Requantizes(const Node& node) {
  if (node.op == "Add" || node.op == "Multiply") return HasClippingActivation(node);
  if (node.op == "Concat") return true;
  const std::string activation = StringOr(node, "activation", "linear");
  return node.op == "Activation" && activation != "softmax" && activation != "log_softmax";
}

bool IsFloatActivation(const Graph& graph, ValueId id) {
  if (id == kNoValue) return false;
  const Value& value = ValueAt(graph, id);
  return value.type.data_type == DataType::kFloat32 && !value.constant.has_value();
}

// Has an integer form of its own: what int8 arithmetic is worth beginning for.
bool IsCompute(const Graph& graph, const Node& node) {
  return HasFloatWeight(graph, node) && IsFloatActivation(graph, node.inputs[0]);
}

// Whether `node` reduces a dimension that only a request decides: there is no integer form of that.
bool ReducesOpenDimension(const Graph& graph, const Node& node) {
  if (node.op != "Reduce" || node.inputs.empty()) return false;
  const Shape& shape = ValueAt(graph, node.inputs[0]).type.shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto axes = node.Ints("axes", {});
  return axes.ok() && std::any_of(axes->begin(), axes->end(), [&](std::int64_t axis) {
           if (axis < 0) axis += rank;
           return axis >= 0 && axis < rank && !shape[static_cast<std::size_t>(axis)].is_constant();
         });
}

// Has an integer form that is worth it between others.
bool IsLight(const Graph& graph, const Node& node) {
  if (!KeepsQuantization(node) && !Requantizes(node)) return false;
  if (ReducesOpenDimension(graph, node)) return false;
  return node.outputs.size() == 1 && !node.inputs.empty() &&
         std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&graph](ValueId id) { return IsFloatActivation(graph, id); });
}

class StaticBuilder {
 public:
  StaticBuilder(const Graph& source, const CalibrationTable& ranges)
      : source_(source),
        ranges_(ranges),
        value_names_(source.values),
        node_names_(source.nodes),
        real_(source.values.size(), kNoValue),
        int8_(source.values.size(), kNoValue),
        wants_int8_(source.values.size(), false) {
    out_.symbol_names = source.symbol_names;
    // Backwards: whether the nodes behind it want their results in int8 is known before.
    // NOLINTNEXTLINE(modernize-loop-convert): Clang 14 lacks the views of libstdc++
    for (auto node = source.nodes.rbegin(); node != source.nodes.rend(); ++node) {
      if (!IsCompute(source, *node) && !(IsLight(source, *node) && WantsInt8(node->outputs[0]))) {
        continue;
      }
      for (const ValueId id : node->inputs) {
        if (id != kNoValue) wants_int8_[Index(id)] = true;
      }
    }
  }

  absl::StatusOr<Graph> Build() {
    for (const ValueId id : source_.inputs) out_.inputs.push_back(NewReal(id));
    for (const Node& node : source_.nodes) {
      if (IsCompute(source_, node)) {
        RETURN_IF_ERROR(AddCompute(node));
      } else if (IsLight(source_, node) && WantsInt8(node.outputs[0]) && ComesInInt8(node)) {
        RETURN_IF_ERROR(AddLight(node));
      } else {
        AddReal(node);
      }
    }
    for (const ValueId id : source_.outputs) out_.outputs.push_back(Real(id));
    RemoveUnusedValues(out_);
    return std::move(out_);
  }

 private:
  static std::size_t Index(ValueId id) { return static_cast<std::size_t>(id); }

  // The float32 (or any other not quantized) value that stands for `id`, made if there is none.
  ValueId Real(ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (real_[Index(id)] != kNoValue) return real_[Index(id)];
    const Value& value = ValueAt(source_, id);
    if (value.constant.has_value()) {
      real_[Index(id)] = out_.AddConstant(value.name, *value.constant);
      return real_[Index(id)];
    }
    const ValueId from = int8_[Index(id)];
    const ValueId to = NewReal(id);
    if (from != kNoValue) AddConversion(id, "Dequantize", from, to, {});
    return to;
  }

  ValueId NewReal(ValueId id) {
    const Value& value = ValueAt(source_, id);
    real_[Index(id)] = out_.AddValue(value.name, value.type);
    return real_[Index(id)];
  }

  ValueId NewInt8(ValueId id, const TensorQuantization& quantization) {
    const Value& value = ValueAt(source_, id);
    int8_[Index(id)] = out_.AddValue(value_names_.Take(absl::StrCat(value.name, "/int8")),
                                     {DataType::kInt8, value.type.shape, quantization});
    return int8_[Index(id)];
  }

  // The int8 value that stands for `id`, made by a Quantize if there is none.
  absl::StatusOr<ValueId> Int8(ValueId id) {
    if (int8_[Index(id)] != kNoValue) return int8_[Index(id)];
    ASSIGN_OR_RETURN(const TensorQuantization quantization, CalibratedFor(id));
    const ValueId from = Real(id);
    const ValueId to = NewInt8(id, quantization);
    AddConversion(id, "Quantize", from, to, quantization);
    return to;
  }

  void AddConversion(ValueId id, const std::string& op, ValueId from, ValueId to,
                     const std::optional<TensorQuantization>& quantization) {
    Node node{
        node_names_.Take(absl::StrCat(ValueAt(source_, id).name, "/", op)), op, {from}, {to}, {}};
    if (quantization.has_value()) SetQuantization(node, "", *quantization);
    out_.nodes.push_back(std::move(node));
  }

  static void SetQuantization(Node& node, const std::string& prefix,
                              const TensorQuantization& quantization) {
    node.attributes[prefix + "scale"] = static_cast<double>(quantization.scale.value);
    node.attributes[prefix + "zero_point"] =
        static_cast<std::int64_t>(quantization.zero_point.value);
  }

  absl::StatusOr<TensorQuantization> CalibratedFor(ValueId id) const {
    const std::string& name = ValueAt(source_, id).name;
    const auto range = ranges_.find(name);
    if (range == ranges_.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("value \"", name, "\" has not been calibrated"));
    }
    return QuantizationFor(range->second);
  }

  // Whether some node that uses `id` would take it in int8.
  [[nodiscard]] bool WantsInt8(ValueId id) const { return wants_int8_[Index(id)]; }

  bool ComesInInt8(const Node& node) const {
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [this](ValueId id) { return int8_[Index(id)] != kNoValue; });
  }

  void AddReal(const Node& node) {
    Node copy = node;
    for (ValueId& id : copy.inputs) id = Real(id);
    for (ValueId& id : copy.outputs) id = NewReal(id);
    out_.nodes.push_back(std::move(copy));
  }

  absl::Status AddLight(const Node& node) {
    Node copy = node;
    for (ValueId& id : copy.inputs) {
      ASSIGN_OR_RETURN(id, Int8(id));
    }
    const ValueId result = node.outputs[0];
    if (KeepsQuantization(node)) {
      copy.outputs = {NewInt8(result, *ValueAt(out_, copy.inputs[0]).type.quantization)};
    } else {
      ASSIGN_OR_RETURN(const TensorQuantization quantization, CalibratedFor(result));
      if (node.op == "Concat") {
        for (ValueId& id : copy.inputs) id = Requantized(id, quantization);
      } else {
        SetQuantization(copy, "output_", quantization);
      }
      copy.outputs = {NewInt8(result, quantization)};
    }
    out_.nodes.push_back(std::move(copy));
    return absl::OkStatus();
  }

  // `id`, a value of the result, with another quantization.
  ValueId Requantized(ValueId id, const TensorQuantization& quantization) {
    const Value value = ValueAt(out_, id);
    if (value.type.quantization == quantization) return id;
    const ValueId to = out_.AddValue(value_names_.Take(absl::StrCat(value.name, "/requantized")),
                                     {DataType::kInt8, value.type.shape, quantization});
    Node node{
        node_names_.Take(absl::StrCat(value.name, "/Requantize")), "Requantize", {id}, {to}, {}};
    SetQuantization(node, "", quantization);
    out_.nodes.push_back(std::move(node));
    return to;
  }

  absl::Status AddCompute(const Node& node) {
    const WeightMatrix matrix = WeightOf(source_, node);
    for (const float value : matrix.elements) {
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("node \"", node.name, "\": a weight is ", value));
      }
    }
    ASSIGN_OR_RETURN(const ValueId x, Int8(node.inputs[WeightedInputs::kX]));
    const double x_scale = static_cast<double>(ValueAt(out_, x).type.quantization->scale.value);
    std::vector<float> bias;
    const std::size_t bias_index = BiasIndex(node);
    if (node.HasInput(bias_index)) bias = ElementsOf(*FloatConstant(source_, node, bias_index));
    std::vector<float> lowest;
    for (const float value : bias) {
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("node \"", node.name, "\": a bias is ", value));
      }
      lowest.push_back(
          static_cast<float>(std::abs(static_cast<double>(value)) / (x_scale * kMaxBias)));
    }
    const ChannelWeights weights = QuantizeByColumn(matrix.elements, matrix.columns, kLimit,
                                                    WeightConvention::kMultiply, lowest);
    Node copy{node.name, node.op, {x}, {}, node.attributes};
    AddParameters(node, matrix, weights, bias, x_scale, copy);
    copy.attributes.erase("transpose_weight");
    copy.attributes["activation_quantization"] = std::string("static");
    copy.attributes["scale_convention"] = std::string("multiply");
    const ValueId result = node.outputs[0];
    if (HasClippingActivation(node) && WantsInt8(result)) {
      ASSIGN_OR_RETURN(const TensorQuantization quantization, CalibratedFor(result));
      SetQuantization(copy, "output_", quantization);
      copy.outputs = {NewInt8(result, quantization)};
    } else {
      copy.outputs = {NewReal(result)};
    }
    out_.nodes.push_back(std::move(copy));
    return absl::OkStatus();
  }

  void AddParameters(const Node& node, const WeightMatrix& matrix, const ChannelWeights& weights,
                     const std::vector<float>& bias, double x_scale, Node& copy) {
    const std::string base = ValueAt(source_, node.inputs[WeightedInputs::kWeight]).name;
    const auto columns = static_cast<std::int64_t>(matrix.columns);
    copy.inputs.push_back(
        AddConstant(absl::StrCat(base, "/quantized"),
                    ConstantTensor::Copy(DataType::kInt8, matrix.dims, weights.values)));
    copy.inputs.push_back(
        AddConstant(absl::StrCat(base, "/scale"),
                    ConstantTensor::Copy(DataType::kFloat32, {columns}, weights.scale)));
    if (bias.empty()) return;
    std::vector<std::int32_t> integers;
    for (std::size_t i = 0; i < bias.size(); ++i) {
      const double unit = x_scale * static_cast<double>(weights.scale[i]);
      integers.push_back(
          static_cast<std::int32_t>(std::nearbyint(static_cast<double>(bias[i]) / unit)));
    }
    copy.inputs.resize(BiasIndex(node), kNoValue);
    copy.inputs.push_back(AddConstant(absl::StrCat(node.name, "/bias/quantized"),
                                      ConstantTensor::Copy(DataType::kInt32, {columns}, integers)));
  }

  ValueId AddConstant(const std::string& wanted, ConstantTensor tensor) {
    return out_.AddConstant(value_names_.Take(wanted), std::move(tensor));
  }

  const Graph& source_;
  const CalibrationTable& ranges_;
  Graph out_;
  UniqueNames value_names_;  // what stands for the source's has its name
  UniqueNames node_names_;
  std::vector<ValueId> real_;  // by the source's value: what stands for it in the result
  std::vector<ValueId> int8_;
  std::vector<bool> wants_int8_;  // by the source's value: whether a node would take it so
};

}  // namespace

TensorQuantization QuantizationFor(const Range& range) {
  const double min = static_cast<double>(range.min);
  const double width = static_cast<double>(range.max) - min;
  auto scale = static_cast<float>(width / (kHighest - kLowest));
  if (!std::isnormal(scale)) scale = 1.0F;  // nothing but zeros was seen
  const double zero_point = std::nearbyint(kLowest - min / static_cast<double>(scale));
  return {.scale = kernels::Scale{scale},
          .zero_point = kernels::ZeroPoint{
              static_cast<std::int32_t>(std::clamp(zero_point, kLowest, kHighest))}};
}

std::vector<ValueId> ValuesToCalibrate(const Graph& graph) {
  std::vector<ValueId> values;
  std::vector<bool> is_added(graph.values.size(), false);
  const auto add = [&](ValueId id) {
    if (!IsFloatActivation(graph, id) || is_added[static_cast<std::size_t>(id)]) return;
    is_added[static_cast<std::size_t>(id)] = true;
    values.push_back(id);
  };
  for (const Node& node : graph.nodes) {
    if (!IsCompute(graph, node) && !IsLight(graph, node)) continue;
    add(node.inputs[0]);
    if (IsLight(graph, node)) std::for_each(node.inputs.begin(), node.inputs.end(), add);
    add(node.outputs[0]);
  }
  return values;
}

absl::StatusOr<Graph> MakeStaticGraph(const Graph& graph, const CalibrationTable& ranges) {
  return StaticBuilder(graph, ranges).Build();
}

}  // namespace octet
