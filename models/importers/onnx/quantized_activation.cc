// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantized_activation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// Operators whose results are elements of their first input, or of all of them, and keep its
// quantization.
constexpr std::array<absl::string_view, 15> kMovers = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalMaxPool", "MaxPool",  "Reshape",
    "Slice",  "SpaceToDepth", "Split",  "Squeeze", "Tile",   "Transpose",     "Unsqueeze"};

bool Is8Bit(DataType type) { return type == DataType::kInt8 || type == DataType::kUint8; }

bool Has(const GraphBuilder& graph, const Activation& integers, const Quantization& wanted) {
  const auto& known = graph.TypeOf(integers.forms.begin()->second).quantization;
  return known.has_value() && known->scale.value == wanted.scale &&
         known->zero_point.value == wanted.graph_zero_point();
}

absl::StatusOr<float> ScaleOf(NodeCall& call, std::size_t index) {
  ASSIGN_OR_RETURN(const ConstantTensor scale, call.FloatConstant(index, "scale"));
  if (NumElements(scale.dims()) != 1) {
    return call.Unimplemented(absl::StrCat("input ", index, " (scale) is ", ToString(scale.dims()),
                                           ", wants one for the whole tensor"));
  }
  const float value = FloatElements(scale)[0];
  if (std::isfinite(value) && value > 0.0F) return value;
  return call.Invalid(absl::StrCat("a scale of ", value, ", wants one above 0"));
}

}  // namespace

Attributes Quantization::attributes(absl::string_view prefix) const {
  return {{absl::StrCat(prefix, "scale"), double{scale}},
          {absl::StrCat(prefix, "zero_point"), graph_zero_point()}};
}

absl::Status CheckPresent(const NodeCall& call, std::size_t at_most,
                          std::initializer_list<std::size_t> wanted) {
  RETURN_IF_ERROR(call.CheckInputs(0, at_most));
  for (const std::size_t index : wanted) {
    if (!call.Has(index)) return call.Invalid(absl::StrCat("input ", index, " is absent"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Quantization> QuantizationOf(NodeCall& call, std::size_t scale,
                                            std::size_t zero_point, DataType type) {
  if (!Is8Bit(type)) {
    return call.Unimplemented(absl::StrCat("integers of type ", DataTypeName(type)));
  }
  Quantization result;
  result.type = type;
  ASSIGN_OR_RETURN(result.scale, ScaleOf(call, scale));
  if (!call.Has(zero_point)) return result;
  ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(zero_point, "zero point"));
  if (given.data_type() != type || NumElements(given.dims()) != 1) {
    return call.Invalid(absl::StrCat("input ", zero_point, " (zero point) is ",
                                     DataTypeName(given.data_type()), ToString(given.dims()),
                                     ", wants one ", DataTypeName(type)));
  }
  result.zero_point = Int64Elements(given)[0];
  return result;
}

absl::StatusOr<Quantization> ResultQuantization(NodeCall& call, std::size_t scale,
                                                std::size_t zero_point) {
  const DataType type = call.Has(zero_point) ? call.input(zero_point).type() : DataType::kUint8;
  return QuantizationOf(call, scale, zero_point, type);
}

absl::StatusOr<std::shared_ptr<Activation>> IntegersOf(NodeCall& call, Activation& x,
                                                       const Quantization& quantization) {
  if (x.type != quantization.type) {
    return call.Invalid(absl::StrCat("an input is ", DataTypeName(x.type), ", wants ",
                                     DataTypeName(quantization.type)));
  }
  if (x.integers != nullptr && Has(call.graph(), *x.integers, quantization)) return x.integers;
  const bool reads_bytes = x.type == DataType::kUint8 && x.integers == nullptr;
  const auto [order, id] = NodeCall::AnyForm(x.integers == nullptr ? x : *x.integers);
  ASSIGN_OR_RETURN(const ValueId integers, call.Emit(reads_bytes ? "Quantize" : "Reinterpret", {id},
                                                     quantization.attributes(), "integers"));
  std::shared_ptr<Activation> result = call.FromValue(integers, order);
  if (x.integers == nullptr) x.integers = result;
  return result;
}

absl::StatusOr<Operand> FromIntegers(NodeCall& call, std::shared_ptr<Activation> integers,
                                     DataType type) {
  const auto [order, id] = NodeCall::AnyForm(*integers);
  Attributes attributes;
  if (type == DataType::kUint8) {
    const TensorQuantization quantization = *call.graph().TypeOf(id).quantization;
    attributes = {{"scale", double{quantization.scale.value}},
                  {"zero_point", std::int64_t{quantization.zero_point.value}},
                  {"to", std::string("UINT8")}};
  }
  ASSIGN_OR_RETURN(const ValueId bytes,
                   call.Emit(type == DataType::kUint8 ? "Requantize" : "Reinterpret", {id},
                             std::move(attributes), "bytes"));
  Operand result = call.Result(bytes, order);
  result.activation()->integers = std::move(integers);
  return result;
}

absl::StatusOr<Operand> Dequantized(NodeCall& call, const Operand& x,
                                    const Quantization& quantization, absl::string_view suffix) {
  if (const ConstantTensor* const constant = x.constant()) {
    if (constant->data_type() != quantization.type) {
      return call.Invalid("a constant's type is not that of its zero point");
    }
    std::vector<float> values;
    for (const std::int64_t value : Int64Elements(*constant)) {
      values.push_back(static_cast<float>(value - quantization.zero_point) * quantization.scale);
    }
    return Operand{absl::StrCat(call.name(), "/", suffix),
                   ConstantTensor::Copy(DataType::kFloat32, constant->dims(), values)};
  }
  Activation* const activation = x.activation();
  if (activation == nullptr) return call.Unimplemented("computes with open sizes");
  ASSIGN_OR_RETURN(const auto integers, IntegersOf(call, *activation, quantization));
  return call.Elementwise("Dequantize", Operand{x.name, integers}, {}, suffix);
}

absl::StatusOr<Operand> Quantized(NodeCall& call, const Operand& x,
                                  const Quantization& quantization) {
  ASSIGN_OR_RETURN(const Operand integers,
                   call.Elementwise("Quantize", x, quantization.attributes(), "quantized"));
  return FromIntegers(call, std::get<std::shared_ptr<Activation>>(integers.content),
                      quantization.type);
}

absl::StatusOr<Operand> ClippedIntegers(NodeCall& call, Activation& x,
                                        std::optional<std::int64_t> low,
                                        std::optional<std::int64_t> high) {
  const auto [order, id] = NodeCall::AnyForm(*x.integers);
  const TensorQuantization quantization = *call.graph().TypeOf(id).quantization;
  // Bytes without a quantization, and with it again: nothing is computed of either.
  ASSIGN_OR_RETURN(ValueId value, call.Emit("Reinterpret", {id}, {}, "plain"));
  const std::int64_t shift = x.type == DataType::kUint8 ? 128 : 0;
  for (const auto& [bound, op] : {std::pair(low, "Maximum"), std::pair(high, "Minimum")}) {
    if (!bound.has_value()) continue;
    const std::int64_t number = std::clamp<std::int64_t>(*bound - shift, -128, 127);
    const ValueId constant =
        call.AddConstant(absl::StrCat("int8/", number), FromInt64s(DataType::kInt8, {}, {number}));
    ASSIGN_OR_RETURN(value, call.Emit(op, {value, constant}, {}, op));
  }
  ASSIGN_OR_RETURN(value, call.Emit("Reinterpret", {value},
                                    {{"scale", double{quantization.scale.value}},
                                     {"zero_point", std::int64_t{quantization.zero_point.value}}},
                                    "clipped"));
  return FromIntegers(call, call.FromValue(value, order), x.type);
}

std::optional<std::vector<Operand>> IntegersToMove(const NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (!call.node().domain.empty() ||
      std::find(kMovers.begin(), kMovers.end(), op) == kMovers.end()) {
    return std::nullopt;
  }
  std::vector<Operand> inputs = call.inputs();
  std::optional<TensorQuantization> quantization;
  for (Operand& input : inputs) {
    Activation* const activation = input.activation();
    if (activation == nullptr) {
      if (op == "Concat" && !input.is_absent()) return std::nullopt;
      continue;
    }
    if (activation->integers == nullptr) return std::nullopt;
    const std::shared_ptr<Activation> integers = activation->integers;
    const auto& known = call.graph().TypeOf(integers->forms.begin()->second).quantization;
    if (!known.has_value() || (quantization.has_value() && !(*quantization == *known))) {
      return std::nullopt;
    }
    quantization = known;
    input.content = integers;
  }
  if (!quantization.has_value()) return std::nullopt;
  return inputs;
}

}  // namespace octet::onnx
