// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantization_steps.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/importers/onnx/node_protos.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7;

constexpr std::array<absl::string_view, 9> kMovers = {"Flatten", "Identity",  "MaxPool",
                                                      "Reshape", "Slice",     "Squeeze",
                                                      "Tile",    "Transpose", "Unsqueeze"};

// Operators whose result has as many axes as their first input, or as the larger of their inputs.
constexpr std::array<absl::string_view, 25> kKeepRank = {"Add",
                                                         "AveragePool",
                                                         "BatchNormalization",
                                                         "Cast",
                                                         "Clip",
                                                         "Concat",
                                                         "Conv",
                                                         "DequantizeLinear",
                                                         "Div",
                                                         "Gemm",
                                                         "GlobalAveragePool",
                                                         "Identity",
                                                         "LeakyRelu",
                                                         "MatMul",
                                                         "Max",
                                                         "MaxPool",
                                                         "Min",
                                                         "Mul",
                                                         "QuantizeLinear",
                                                         "Relu",
                                                         "Round",
                                                         "Sigmoid",
                                                         "Softmax",
                                                         "Sub",
                                                         "Transpose"};

template <typename List>
bool Contains(const List& list, absl::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Of those, the ones whose inputs are stretched to one shape, or multiplied as matrices.
constexpr std::array<absl::string_view, 7> kBinary = {"Add", "Div",    "Max", "Min",
                                                      "Mul", "MatMul", "Sub"};

template <typename List>
bool IsIn(const List& list, absl::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Reads a quantization from its end to its beginning.
class StepsReader {
 public:
  explicit StepsReader(const KnownValues& values) : values_(values) {}

  std::optional<QuantizationSteps> Read(std::string name) {
    while (steps_.nodes.size() < kMostQuantizationSteps) {
      const NodeProto* const node = values_.MakerOf(name);
      if (node == nullptr || node->outputs.size() != 1 || node->inputs.empty()) break;
      steps_.nodes.push_back(node);
      if (is_rounded_ && (node->op_type == "Div" || node->op_type == "Mul")) {
        return ReadScale(*node) ? std::optional(std::move(steps_)) : std::nullopt;
      }
      const std::optional<std::string> input = StepOver(*node);
      if (!input.has_value()) break;
      name = *input;
    }
    return std::nullopt;
  }

 private:
  // The scale at the beginning.
  bool ReadScale(const NodeProto& node) {
    const auto side = values_.ConstantSide(node);
    steps_.is_reciprocal = node.op_type == "Mul";
    if (!side.has_value() || (!steps_.is_reciprocal && side->first == 0) ||
        !values_.IsReal(node.inputs[side->first])) {
      return false;
    }
    steps_.scale = side->second;
    steps_.scale_name = node.inputs[side->first];
    steps_.x = node.inputs[1 - side->first];
    const IntegerRange& range = steps_.range;
    return std::isfinite(range.low) && std::isfinite(range.high) &&
           range.low == std::nearbyint(range.low) && range.high == std::nearbyint(range.high) &&
           std::all_of(steps_.scale.values.begin(), steps_.scale.values.end(),
                       [](float scale) { return std::isnormal(scale) && scale > 0.0F; });
  }

  // Takes note of a step; returns its input, or nothing where it is none of a quantization.
  std::optional<std::string> StepOver(const NodeProto& node) {
    const std::string& op = node.op_type;
    if (op == "Round" && !is_rounded_) {
      is_rounded_ = true;
      return node.inputs[0];
    }
    if (op == "Cast") {
      // Between Round and the end: in front of Round it would cut.
      const std::int64_t to = IntAttribute(node, "to", 0);
      const bool changes = to != kFloat && (is_rounded_ || (to != kInt32 && to != kInt64));
      return changes ? std::nullopt : std::optional(node.inputs[0]);
    }
    if (op == "Clip") return ReadClip(node) ? std::optional(node.inputs[0]) : std::nullopt;
    const auto side = values_.ConstantSide(node);
    if (!side.has_value()) return std::nullopt;
    const std::string& other = node.inputs[1 - side->first];
    if (op == "Max" || op == "Min") {
      if (side->second.values.size() != 1) return std::nullopt;
      IntegerRange clip;
      (op == "Max" ? clip.low : clip.high) = side->second.values[0];
      return Narrow(clip) ? std::optional(other) : std::nullopt;
    }
    const auto subtracted = Subtrahend(values_, node);
    if (!subtracted.has_value() || has_zero_point_) return std::nullopt;
    steps_.zero_point = *subtracted;
    for (float& value : steps_.zero_point.values) value = 0.0F - value;
    has_zero_point_ = !steps_.zero_point.IsZero();
    return other;
  }

  bool ReadClip(const NodeProto& node) {
    IntegerRange clip;
    for (const std::size_t i : {1U, 2U}) {
      if (InputOf(node, i).empty()) continue;
      const auto bound = values_.NumberOf(node.inputs[i]);
      if (!bound.has_value()) return false;
      (i == 1 ? clip.low : clip.high) = *bound;
    }
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.name == "min") clip.low = attribute.f;
      if (attribute.name == "max") clip.high = attribute.f;
    }
    return Narrow(clip);
  }

  // Takes note of a clip in front of those that are known, behind which the zero point is added
  // that is known.
  bool Narrow(const IntegerRange& clip) {
    if (steps_.zero_point.values.size() > 1) return false;
    const double shift = steps_.zero_point.values[0];
    IntegerRange& range = steps_.range;
    range.low = std::max(range.low, clip.low + shift);
    range.high = std::min(range.high, clip.high + shift);
    return range.low <= range.high;
  }

  const KnownValues& values_;
  QuantizationSteps steps_;
  bool is_rounded_ = false;
  bool has_zero_point_ = false;
};

}  // namespace

bool QuantizationParameter::IsZero() const {
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; });
}
bool QuantizationParameter::IsWhole() const {
  return std::all_of(values.begin(), values.end(), [](float value) {
    return std::abs(value) <= 65536.0F && value == std::nearbyint(value);
  });
}

KnownValues::KnownValues(const GraphProto& graph, SmallConstants& constants)
    : constants_(constants) {
  for (const TensorProto& tensor : graph.initializers) {
    types_[tensor.name] = tensor.data_type;
    ranks_[tensor.name] = tensor.dims.size();
  }
  for (const ValueInfoProto& input : graph.inputs) {
    types_.emplace(input.name, input.element_type);
    if (input.shape.has_value()) ranks_.emplace(input.name, input.shape->size());
  }
}

void KnownValues::Keep(const NodeProto& node) {
  for (const std::string& output : node.outputs) makers_[output] = &node;
  if (!node.domain.empty() || node.outputs.empty()) return;
  const std::string& output = node.outputs[0];
  if (node.op_type == "Cast") types_[output] = IntAttribute(node, "to", 0);
  if (node.op_type == "QuantizeLinear") {
    types_[output] = node.inputs.size() < 3 ? kUint8 : TypeOf(node.inputs[2]);
  }
  if (node.op_type == "Constant" && !node.attributes.empty() && node.attributes[0].t.has_value()) {
    types_[output] = node.attributes[0].t->data_type;
    ranks_[output] = node.attributes[0].t->dims.size();
  }
  if (IsIn(kMovers, node.op_type)) types_[output] = TypeOf(InputOf(node, 0));
  const auto rank = ResultRank(node);
  if (rank.has_value()) ranks_[output] = *rank;
}

std::optional<std::size_t> KnownValues::ResultRank(const NodeProto& node) const {
  if (!IsIn(kKeepRank, node.op_type)) return std::nullopt;
  std::size_t rank = 0;
  const std::size_t count = IsIn(kBinary, node.op_type) ? node.inputs.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto known = RankOf(InputOf(node, i));
    if (!known.has_value()) return std::nullopt;
    rank = std::max(rank, *known);
  }
  return rank;
}

std::int64_t KnownValues::TypeOf(const std::string& name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? 0 : found->second;
}

std::optional<std::size_t> KnownValues::RankOf(const std::string& name) const {
  if (const ConstantTensor* const constant = constants_.Find(name)) return constant->dims().size();
  const auto found = ranks_.find(name);
  return found == ranks_.end() ? std::nullopt : std::optional(found->second);
}

const NodeProto* KnownValues::MakerOf(const std::string& name) const {
  const auto found = makers_.find(name);
  return found == makers_.end() || !found->second->domain.empty() ? nullptr : found->second;
}

std::optional<QuantizationParameter> KnownValues::ParameterOf(const std::string& name) const {
  const ConstantTensor* const constant = constants_.Find(name);
  if (constant == nullptr) return std::nullopt;
  const auto count = std::count_if(constant->dims().begin(), constant->dims().end(),
                                   [](std::int64_t dim) { return dim != 1; });
  if (count > 1 || NumElements(constant->dims()) < 1) return std::nullopt;
  return QuantizationParameter{FloatElements(*constant), constant->dims()};
}

std::optional<float> KnownValues::NumberOf(const std::string& name) const {
  const auto parameter = ParameterOf(name);
  if (!parameter.has_value() || parameter->values.size() != 1) return std::nullopt;
  return parameter->values[0];
}

std::optional<std::pair<std::size_t, QuantizationParameter>> KnownValues::ConstantSide(
    const NodeProto& node) const {
  if (node.inputs.size() != 2) return std::nullopt;
  for (const std::size_t side : {1U, 0U}) {
    auto parameter = ParameterOf(node.inputs[side]);
    if (parameter.has_value()) return std::pair(side, *std::move(parameter));
  }
  return std::nullopt;
}

bool KnownValues::IsReal(const std::string& name) const {
  const ConstantTensor* const constant = constants_.Find(name);
  return constant != nullptr && constant->data_type() == DataType::kFloat32;
}

std::optional<QuantizationSteps> QuantizationStepsOf(const KnownValues& values, std::string name) {
  return StepsReader(values).Read(std::move(name));
}

std::optional<QuantizationParameter> Subtrahend(const KnownValues& values, const NodeProto& node) {
  if (node.op_type != "Sub" && node.op_type != "Add") return std::nullopt;
  auto side = values.ConstantSide(node);
  if (!side.has_value() || !side->second.IsWhole()) return std::nullopt;
  if (node.op_type == "Sub") {
    return side->first == 0 ? std::nullopt : std::optional(std::move(side->second));
  }
  for (float& value : side->second.values) value = 0.0F - value;
  return std::move(side->second);
}

}  // namespace octet::onnx
