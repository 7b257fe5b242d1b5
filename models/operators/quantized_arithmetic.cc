// SPDX-License-Identifier: Apache-2.0

#include "models/operators/quantized_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"

namespace octet {

absl::StatusOr<ActivationQuantization> ActivationQuantizationAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name, NameAttribute(node, "activation_quantization", "none",
                                                         {"none", "dynamic", "static"}));
  if (name == "dynamic") return ActivationQuantization::kDynamic;
  if (name == "static") return ActivationQuantization::kStatic;
  return ActivationQuantization::kNone;
}

bool MultipliesIntegers(const Node& node) {
  return ActivationQuantizationAttribute(node).value_or(ActivationQuantization::kNone) !=
         ActivationQuantization::kNone;
}

absl::StatusOr<kernels::ScaleConvention> ScaleConventionAttribute(const Node& node) {
  ASSIGN_OR_RETURN(const std::string name, NameAttribute(node, "scale_convention", "reciprocal",
                                                         {"reciprocal", "multiply"}));
  return name == "multiply" ? kernels::ScaleConvention::kMultiply
                            : kernels::ScaleConvention::kReciprocal;
}

absl::StatusOr<Requantization> RequantizationAttribute(const Node& node, DataType x) {
  ASSIGN_OR_RETURN(const std::string name,
                   NameAttribute(node, "requantization", "float64",
                                 {"float64", "float32", "fixed", "fixed_single", "float64_away"}));
  if (name == "float64_away") {
    if (x == DataType::kInt16) return Requantization::kFloat64Away;
    return UnimplementedNode(node, "attribute \"requantization\" is \"float64_away\" for ",
                             DataTypeName(x), ", wants an INT16 layer");
  }
  if (name == "fixed") return Requantization::kFixed;
  if (name == "fixed_single") return Requantization::kFixedSingle;
  return name == "float32" ? Requantization::kFloat32 : Requantization::kFloat64;
}

std::optional<kernels::FixedRounding> FixedRoundingOf(Requantization requantization) {
  if (requantization == Requantization::kFixed) return kernels::FixedRounding::kDouble;
  if (requantization == Requantization::kFixedSingle) return kernels::FixedRounding::kSingle;
  return std::nullopt;
}

absl::StatusOr<kernels::RowQuantizeSpec> DynamicAttributes(const Node& node) {
  ASSIGN_OR_RETURN(const std::int64_t range, IntAttribute(node, "dynamic_range", 127, 1));
  if (range > 127) {
    return InvalidNode(node, "attribute \"dynamic_range\" is ", range, ", wants 1 to 127");
  }
  ASSIGN_OR_RETURN(const float epsilon, FloatAttribute(node, "dynamic_epsilon", 1e-7));
  if (epsilon < 0.0F) {
    return InvalidNode(node, "attribute \"dynamic_epsilon\" is ", epsilon, ", wants 0 or more");
  }
  kernels::RowQuantizeSpec spec;
  spec.range = static_cast<std::int32_t>(range);
  spec.epsilon = epsilon;
  ASSIGN_OR_RETURN(const std::string formula,
                   NameAttribute(node, "dynamic_scale", "range", {"range", "half_steps"}));
  if (formula == "half_steps") {
    if (range != 127) {
      return InvalidNode(node, "attribute \"dynamic_range\" is ", range,
                         ", wants 127 with the dynamic_scale \"half_steps\"");
    }
    spec.formula = kernels::RowScaleFormula::kHalfSteps;
  }
  return spec;
}

absl::Status CheckStaticInput(const Node& node, const NodeInputs& inputs, std::size_t index) {
  RETURN_IF_ERROR(inputs.CheckDataType(index, "x", {DataType::kInt8, DataType::kInt16}));
  if (inputs.type(index).quantization.has_value()) return absl::OkStatus();
  return InvalidNode(node, "input \"x\" is ", DataTypeName(inputs.type(index).data_type),
                     " without a quantization");
}

absl::Status CheckStaticBias(const NodeInputs& inputs, std::size_t index, DataType x,
                             std::span<const std::int64_t> dims) {
  const bool is_wide = x == DataType::kInt16 && inputs.type(index).data_type == DataType::kInt64;
  return inputs.CheckConstant(index, "bias", is_wide ? DataType::kInt64 : DataType::kInt32, dims);
}

absl::Status CheckStaticWeights(const Node& node, DataType x, DataType weight,
                                bool has_zero_points) {
  if (x != DataType::kInt16 || (weight == DataType::kInt8 && !has_zero_points)) {
    return absl::OkStatus();
  }
  return UnimplementedNode(node, "an INT16 input with ", DataTypeName(weight), " weights",
                           has_zero_points ? " that have zero points" : "", ", wants INT8 without");
}

absl::StatusOr<TensorType> StaticOutputType(const Node& node, Shape shape, DataType quantized) {
  RETURN_IF_ERROR(RequantizationAttribute(node, quantized).status());
  RETURN_IF_ERROR(NameAttribute(node, "scale_product", "float64", {"float64", "float32"}).status());
  TensorType type{DataType::kFloat32, std::move(shape), std::nullopt};
  if (node.attributes.find("output_scale") == node.attributes.end()) return type;
  ASSIGN_OR_RETURN(type.quantization, QuantizationAttributes(node, "output_", quantized));
  type.data_type = quantized;
  return type;
}

absl::StatusOr<ClipRange> StaticClipRange(const Node& node, const FusedActivation& activation,
                                          const TensorType& output) {
  using kernels::ActivationKind;
  ClipRange range =
      output.data_type == DataType::kInt16 ? ClipRange{-32768, 32767} : ClipRange{-128, 127};
  if (activation.is_linear()) return range;
  const kernels::Activation& elementwise = activation.elementwise;
  const bool is_relu = elementwise.kind == ActivationKind::kRelu;
  const bool is_plain_relu = is_relu && elementwise.alpha == 0.0F && elementwise.threshold == 0.0F;
  if (activation.over_rows.has_value() ||
      (!is_plain_relu && elementwise.kind != ActivationKind::kRelu6)) {
    return UnimplementedNode(node, "an ", DataTypeName(output.data_type),
                             " result with an activation that is not linear, relu or relu6");
  }
  const std::int32_t zero_point = output.quantization->zero_point.value;
  range.lo = std::max(range.lo, zero_point);
  const float most = is_relu ? elementwise.beta : 6.0F;
  if (most < 0.0F) return InvalidNode(node, "a relu with the greatest value ", most);
  ASSIGN_OR_RETURN(const Requantization requantization,
                   RequantizationAttribute(node, output.data_type));
  const float quotient = most / output.quantization->scale.value;
  // TensorFlow Lite rounds halves away from zero.
  const bool is_away =
      requantization == Requantization::kFloat64Away || FixedRoundingOf(requantization).has_value();
  const float rounded = is_away ? std::round(quotient) : std::nearbyint(quotient);
  const float top = rounded + static_cast<float>(zero_point);
  if (top < static_cast<float>(range.hi)) range.hi = static_cast<std::int32_t>(top);
  return range;
}

std::int32_t WeightShift(DataType data_type) { return data_type == DataType::kUint8 ? 128 : 0; }

namespace {

// `packed` holds runs along `axis`, two values a byte, each run padded to a whole byte.
std::vector<std::int8_t> UnpackNibbles(const ConstantTensor& weights) {
  const Dims& dims = weights.dims();
  const std::size_t axis =
      weights.packed_axis() < 0 ? dims.size() - 1 : static_cast<std::size_t>(weights.packed_axis());
  std::size_t outer = 1;
  std::size_t inner = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i < axis) outer *= static_cast<std::size_t>(dims[i]);
    if (i > axis) inner *= static_cast<std::size_t>(dims[i]);
  }
  const auto length = static_cast<std::size_t>(dims[axis]);
  const std::size_t packed_length = (length + 1) / 2;
  const bool is_signed = weights.data_type() == DataType::kInt4;
  const auto* packed = reinterpret_cast<const std::uint8_t*>(weights.bytes().data());
  std::vector<std::int8_t> values(outer * length * inner);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t p = 0; p < length; ++p) {
      const std::size_t from = (o * packed_length + p / 2) * inner;
      std::int8_t* to = values.data() + (o * length + p) * inner;
      for (std::size_t i = 0; i < inner; ++i) {
        const int nibble = p % 2 == 0 ? packed[from + i] & 0xF : packed[from + i] >> 4;
        to[i] = static_cast<std::int8_t>(is_signed ? (nibble ^ 8) - 8 : nibble);
      }
    }
  }
  return values;
}

}  // namespace

std::vector<std::int8_t> UnpackWeights(const ConstantTensor& weights) {
  if (weights.data_type() == DataType::kInt4 || weights.data_type() == DataType::kUint4) {
    if (weights.dims().empty()) return {};
    return UnpackNibbles(weights);
  }
  const std::span<const std::byte> bytes = weights.bytes();
  std::vector<std::int8_t> values(bytes.size());
  const std::int32_t shift = WeightShift(weights.data_type());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // Modulo 256, subtracting 128 moves [0, 255] to [-128, 127].
    values[i] = static_cast<std::int8_t>(std::to_integer<std::int32_t>(bytes[i]) - shift);
  }
  return values;
}

Dims ChannelDims(const ConstantTensor* constant, std::int64_t num_channels) {
  const bool is_per_tensor = constant != nullptr && constant->dims() == Dims{1};
  return {is_per_tensor ? 1 : num_channels};
}

absl::StatusOr<std::vector<std::int8_t>> WeightZeroPoints(const Node& node, absl::string_view name,
                                                          DataType weight,
                                                          const ConstantTensor& zero_point) {
  const std::int32_t shift = WeightShift(weight);
  std::vector<std::int8_t> values;
  values.reserve(zero_point.bytes().size());
  for (const std::int32_t value : ByteElements(zero_point)) {
    if (value - shift < -128 || value - shift > 127) {
      return InvalidNode(node, "\"", name, "\" holds ", value, " for ", DataTypeName(weight),
                         " weights, wants ", shift - 128, " to ", shift + 127);
    }
    values.push_back(static_cast<std::int8_t>(value - shift));
  }
  return values;
}

std::vector<std::int32_t> ByteElements(const ConstantTensor& constant) {
  std::vector<std::int32_t> values;
  values.reserve(constant.bytes().size());
  for (const std::byte element : constant.bytes()) {
    const auto byte = std::to_integer<std::uint8_t>(element);
    values.push_back(constant.data_type() == DataType::kInt8 ? static_cast<std::int8_t>(byte)
                                                             : std::int32_t{byte});
  }
  return values;
}

std::vector<std::int32_t> Int32Elements(const ConstantTensor& constant) {
  std::vector<std::int32_t> elements(constant.bytes().size() / sizeof(std::int32_t));
  if (!elements.empty()) {
    std::memcpy(elements.data(), constant.bytes().data(), elements.size() * sizeof(std::int32_t));
  }
  return elements;
}

std::vector<std::int64_t> Int64Elements(const ConstantTensor& constant) {
  if (constant.data_type() == DataType::kInt32) {
    const std::vector<std::int32_t> elements = Int32Elements(constant);
    return {elements.begin(), elements.end()};
  }
  std::vector<std::int64_t> elements(constant.bytes().size() / sizeof(std::int64_t));
  if (!elements.empty()) {
    std::memcpy(elements.data(), constant.bytes().data(), elements.size() * sizeof(std::int64_t));
  }
  return elements;
}

absl::StatusOr<IntegerEpilogue> IntegerEpilogue::Dynamic(const Node& node,
                                                         const FusedActivation& activation,
                                                         std::vector<float> scale,
                                                         const ConstantTensor* bias) {
  IntegerEpilogue result;
  result.epilogue_.kind = kernels::EpilogueKind::kDynamic;
  result.epilogue_.activation = activation.elementwise;
  ASSIGN_OR_RETURN(result.epilogue_.convention, ScaleConventionAttribute(node));
  result.scale_ = std::move(scale);
  if (bias != nullptr) result.bias_f32_ = FloatElements(*bias);
  return result;
}

namespace {

// What each channel's sums are multiplied by: input scale * weight scale / output scale, in double
// and rounded once, or in float32 throughout.
absl::StatusOr<std::vector<float>> StaticMultipliers(const Node& node, DataType x,
                                                     const TensorQuantization& input,
                                                     const TensorType& output,
                                                     std::span<const float> scale) {
  ASSIGN_OR_RETURN(const kernels::ScaleConvention convention, ScaleConventionAttribute(node));
  ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(node, x));
  const double output_scale =
      output.quantization.has_value() ? static_cast<double>(output.quantization->scale.value) : 1.0;
  std::vector<float> multipliers;
  for (const float element : scale) {
    const double weight_scale = convention == kernels::ScaleConvention::kReciprocal
                                    ? 1.0 / static_cast<double>(element)
                                    : static_cast<double>(element);
    const auto multiplier = requantization == Requantization::kFloat32
                                ? input.scale.value * static_cast<float>(weight_scale) /
                                      static_cast<float>(output_scale)
                                : static_cast<float>(static_cast<double>(input.scale.value) *
                                                     weight_scale / output_scale);
    if (!std::isfinite(multiplier)) {
      return InvalidNode(node, "scales ", input.scale.value, ", ", element, " and ", output_scale,
                         " give a multiplier that is not finite");
    }
    multipliers.push_back(multiplier);
  }
  return multipliers;
}

// The same in float64, not rounded.
absl::StatusOr<std::vector<double>> WideMultipliers(const Node& node,
                                                    const TensorQuantization& input,
                                                    const TensorQuantization& output,
                                                    std::span<const float> scale) {
  ASSIGN_OR_RETURN(const kernels::ScaleConvention convention, ScaleConventionAttribute(node));
  ASSIGN_OR_RETURN(const std::string product_type,
                   NameAttribute(node, "scale_product", "float64", {"float64", "float32"}));
  const auto input_scale = static_cast<double>(input.scale.value);
  std::vector<double> multipliers;
  for (const float element : scale) {
    const double weight_scale = convention == kernels::ScaleConvention::kReciprocal
                                    ? 1.0 / static_cast<double>(element)
                                    : static_cast<double>(element);
    double product = input_scale * weight_scale;
    if (product_type == "float32") product = static_cast<double>(static_cast<float>(product));
    const double multiplier = product / static_cast<double>(output.scale.value);
    if (!(multiplier >= 0.0) || !std::isfinite(multiplier)) {
      return InvalidNode(node, "scales ", input.scale.value, ", ", element, " and ",
                         output.scale.value, " give a multiplier of ", multiplier,
                         ", wants a finite one of 0 or more");
    }
    multipliers.push_back(multiplier);
  }
  return multipliers;
}

// The same in fixed point.
absl::StatusOr<std::vector<kernels::FixedPointScale>> FixedMultipliers(
    const Node& node, const TensorQuantization& input, const TensorQuantization& output,
    std::span<const float> scale, kernels::FixedRounding rounding) {
  ASSIGN_OR_RETURN(const std::vector<double> wide, WideMultipliers(node, input, output, scale));
  std::vector<kernels::FixedPointScale> multipliers;
  for (const double multiplier : wide) {
    multipliers.push_back(
        kernels::MakeFixedPointScale(kernels::MakeFixedPointNumber(multiplier), rounding));
  }
  return multipliers;
}

}  // namespace

void SetOutput(const MutableTensorView& result, std::size_t size, kernels::EpilogueOutput& out) {
  if (result.data_type == DataType::kInt8) {
    out.s8 = {result.as<std::int8_t>(), size};
  } else {
    out.f32 = {result.as<float>(), size};
  }
}

void SetOutput(const MutableTensorView& result, std::size_t size, kernels::EpilogueS16Output& out) {
  if (result.data_type == DataType::kInt16) {
    out.s16 = {result.as<std::int16_t>(), size};
  } else {
    out.f32 = {result.as<float>(), size};
  }
}

absl::StatusOr<IntegerEpilogue> IntegerEpilogue::Static(
    const Node& node, const FusedActivation& activation, const TensorQuantization& input,
    const TensorType& output, std::span<const float> scale, const ConstantTensor* bias) {
  IntegerEpilogue result;
  const bool is_int8 = output.quantization.has_value();
  ASSIGN_OR_RETURN(const Requantization requantization, RequantizationAttribute(node));
  const std::optional<kernels::FixedRounding> rounding = FixedRoundingOf(requantization);
  if (is_int8 && rounding.has_value()) {
    result.epilogue_.kind = kernels::EpilogueKind::kStaticFixed;
    ASSIGN_OR_RETURN(result.fixed_,
                     FixedMultipliers(node, input, *output.quantization, scale, *rounding));
  } else {
    result.epilogue_.kind =
        is_int8 ? kernels::EpilogueKind::kStatic : kernels::EpilogueKind::kStaticFloat;
    ASSIGN_OR_RETURN(result.multiplier_,
                     StaticMultipliers(node, DataType::kInt8, input, output, scale));
  }
  if (bias != nullptr) result.bias_s32_ = Int32Elements(*bias);
  if (!is_int8) {
    result.epilogue_.activation = activation.elementwise;
    return result;
  }
  ASSIGN_OR_RETURN(const ClipRange range, StaticClipRange(node, activation, output));
  result.epilogue_.lo = range.lo;
  result.epilogue_.hi = range.hi;
  result.epilogue_.out_zero_point = output.quantization->zero_point;
  return result;
}

kernels::Epilogue IntegerEpilogue::View() const {
  kernels::Epilogue epilogue = epilogue_;
  epilogue.weight_scale = scale_;
  epilogue.bias_f32 = bias_f32_;
  epilogue.bias_s32 = bias_s32_;
  epilogue.multiplier = multiplier_;
  epilogue.fixed = fixed_;
  return epilogue;
}

absl::StatusOr<Int16Epilogue> Int16Epilogue::Make(
    const Node& node, const FusedActivation& activation, const TensorQuantization& input,
    const TensorType& output, std::span<const float> scale, const ConstantTensor* bias) {
  Int16Epilogue result;
  if (bias != nullptr) result.bias_ = Int64Elements(*bias);
  ASSIGN_OR_RETURN(const Requantization requantization,
                   RequantizationAttribute(node, DataType::kInt16));
  const bool is_fixed = FixedRoundingOf(requantization).has_value();
  const bool is_wide = is_fixed || requantization == Requantization::kFloat64Away;
  if (!output.quantization.has_value() || !is_wide) {
    ASSIGN_OR_RETURN(const std::vector<float> multipliers,
                     StaticMultipliers(node, DataType::kInt16, input, output, scale));
    result.multiplier_.assign(multipliers.begin(), multipliers.end());
  } else {
    ASSIGN_OR_RETURN(result.multiplier_, WideMultipliers(node, input, *output.quantization, scale));
  }
  if (!output.quantization.has_value()) {
    result.epilogue_.kind = kernels::EpilogueKind::kStaticFloat;
    result.epilogue_.activation = activation.elementwise;
    return result;
  }
  if (is_wide) result.epilogue_.rounding = kernels::HalfRounding::kAway;
  if (is_fixed) {
    result.epilogue_.rounding = kernels::HalfRounding::kUp;
    for (double& multiplier : result.multiplier_) {
      multiplier = kernels::FixedMultiplierS16(kernels::MakeFixedPointNumber(multiplier));
    }
  }
  ASSIGN_OR_RETURN(const ClipRange range, StaticClipRange(node, activation, output));
  result.epilogue_.lo = range.lo;
  result.epilogue_.hi = range.hi;
  return result;
}

kernels::EpilogueS16 Int16Epilogue::View() const {
  kernels::EpilogueS16 epilogue = epilogue_;
  epilogue.bias = bias_;
  epilogue.multiplier = multiplier_;
  return epilogue;
}

}  // namespace octet
