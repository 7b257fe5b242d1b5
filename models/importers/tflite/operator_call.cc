// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/operator_call.h"

#include <cstring>
#include <utility>

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet::tflite {
namespace {

// A bundle's names have at most 1024 bytes, and one that a converter joined of many layers' tells
// less the longer it is.
constexpr std::size_t kLongestName = 200;

std::string ShortName(absl::string_view name) {
  // "block/Relu;block/BiasAdd;...": the names of all that was fused, the last layer's first.
  name = name.substr(0, name.find(';'));
  return std::string(name.substr(0, kLongestName));
}

// Integers of T, which may lie unaligned.
template <typename T>
std::vector<std::int64_t> IntegersOf(std::span<const std::byte> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), elements.size() * sizeof(T));
  return {elements.begin(), elements.end()};
}

}  // namespace

absl::StatusOr<Attributes> QuantizationAttributes(const StoredTensor& tensor,
                                                  absl::string_view prefix) {
  ASSIGN_OR_RETURN(const TensorQuantization quantization, ActivationQuantization(tensor));
  return Attributes{
      {absl::StrCat(prefix, "scale"), double{quantization.scale.value}},
      {absl::StrCat(prefix, "zero_point"), std::int64_t{quantization.zero_point.value}}};
}

absl::StatusOr<Attributes> QuantizeAttributes(const StoredTensor& tensor) {
  ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(tensor));
  if (ActivationType(tensor) == DataType::kInt16) attributes["to"] = std::string("INT16");
  return attributes;
}

std::string OperatorCall::Name(absl::string_view part) const {
  const std::string name = stored_.outputs.empty() ? std::string() : ShortName(output(0).name);
  const std::string base = name.empty() ? stored_.Name() : name;
  return part.empty() ? base : absl::StrCat(base, "/", part);
}

absl::Status OperatorCall::CheckCounts(std::size_t at_least, std::size_t at_most,
                                       std::size_t outputs) const {
  bool is_given = num_inputs() >= at_least && num_inputs() <= at_most;
  for (std::size_t i = 0; is_given && i < at_least; ++i) is_given = HasInput(i);
  if (is_given && num_outputs() == outputs) return absl::OkStatus();
  return Invalid("got ", num_inputs(), " inputs and ", num_outputs(), " outputs, wants ", at_least,
                 at_least == at_most ? std::string() : absl::StrCat(" to ", at_most),
                 " inputs, the first ", at_least, " given, and ", outputs, " outputs");
}

const StoredTensor& OperatorCall::input(std::size_t index) const {
  return translation_.file.tensors[static_cast<std::size_t>(stored_.inputs[index])];
}

const StoredTensor& OperatorCall::output(std::size_t index) const {
  return translation_.file.tensors[static_cast<std::size_t>(stored_.outputs[index])];
}

const StoredTensor* OperatorCall::intermediate(std::size_t index) const {
  if (index >= stored_.intermediates.size() || stored_.intermediates[index] < 0) return nullptr;
  return &translation_.file.tensors[static_cast<std::size_t>(stored_.intermediates[index])];
}

const TensorState& OperatorCall::State(std::size_t index) const {
  return translation_.tensors[static_cast<std::size_t>(stored_.inputs[index])];
}

TensorState& OperatorCall::OutputState(std::size_t index) const {
  return translation_.tensors[static_cast<std::size_t>(stored_.outputs[index])];
}

bool OperatorCall::IsConstant(std::size_t index) const {
  const TensorState& state = State(index);
  if (state.kind != TensorState::Kind::kUnknown) return state.kind == TensorState::Kind::kConstant;
  return !input(index).data.empty() && !input(index).is_variable;
}

bool OperatorCall::IsShape(std::size_t index) const {
  return State(index).kind == TensorState::Kind::kShape;
}

bool OperatorCall::IsQuantized(std::size_t index) const { return IsQuantizedTensor(input(index)); }

bool OperatorCall::IsQuantizedOutput(std::size_t index) const {
  return IsQuantizedTensor(output(index));
}

absl::StatusOr<ValueId> OperatorCall::Activation(std::size_t index) const {
  const TensorState& state = State(index);
  if (state.kind == TensorState::Kind::kValue) return state.value;
  const std::string what = absl::StrCat("input ", index, " ", Quoted(input(index).name));
  if (IsConstant(index)) return Unimplemented(what, " is a constant, wants an activation");
  if (IsShape(index)) {
    return Unimplemented(what, " is computed from a shape, which only RESHAPE may take");
  }
  if (input(index).is_variable) return Unimplemented(what, " is a variable that keeps its value");
  return Invalid(what, " is neither a constant nor computed before");
}

absl::StatusOr<ValueId> OperatorCall::QuantizedOperand(std::size_t index) const {
  if (!IsConstant(index)) return Activation(index);
  // The same integers again: a quotient is off by less than 2^-15.
  ASSIGN_OR_RETURN(const ValueId real, FloatOperand(index, Int16Operand::kExact));
  ASSIGN_OR_RETURN(Attributes attributes, QuantizeAttributes(input(index)));
  return Emit("Quantize", {real}, std::move(attributes), absl::StrCat("operand_", index));
}

bool OperatorCall::IsInt16(std::size_t index) const {
  return IsQuantized(index) && input(index).data_type == DataType::kInt16;
}

absl::StatusOr<ValueId> OperatorCall::FloatOperand(std::size_t index, Int16Operand int16) const {
  if (IsInt16(index) && int16 == Int16Operand::kRefused) {
    return Unimplemented("input ", index, " is ", Describe(input(index)),
                         ", wants FP32, INT8 or UINT8");
  }
  if (IsConstant(index)) {
    ASSIGN_OR_RETURN(ConstantTensor constant, FloatConstant(index));
    return AddConstant(absl::StrCat("operand_", index), std::move(constant));
  }
  ASSIGN_OR_RETURN(const ValueId value, Activation(index));
  const TensorType& type = graph().TypeOf(value);
  if (type.data_type == DataType::kFloat32) return value;
  if (type.quantization.has_value()) {
    return Emit("Dequantize", {value}, {}, absl::StrCat("dequantize_", index));
  }
  return Unimplemented("input ", index, " is ", Describe(input(index)),
                       ", wants FP32 or a quantized tensor");
}

absl::Status OperatorCall::ChargeConstant(std::size_t index) const {
  // As floats, which constants of fewer bits may become.
  const StoredTensor& tensor = input(index);
  const std::size_t bits = tensor.data_type.has_value() ? BitWidth(*tensor.data_type) : 8;
  const std::size_t factor = bits < 32 ? 32 / bits : 1;
  translation_.constant_bytes_left -= static_cast<std::int64_t>(factor * tensor.data.size());
  if (translation_.constant_bytes_left >= 0) return absl::OkStatus();
  return absl::ResourceExhaustedError("the operators use more bytes of constants than are allowed");
}

absl::StatusOr<ConstantTensor> OperatorCall::Constant(std::size_t index) const {
  if (!IsConstant(index)) {
    return Unimplemented("input ", index, " ", Quoted(input(index).name),
                         " is computed, wants a constant");
  }
  if (State(index).kind == TensorState::Kind::kConstant) return State(index).constant;
  RETURN_IF_ERROR(ChargeConstant(index));
  return StoredConstant(input(index));
}

absl::StatusOr<ConstantTensor> OperatorCall::FloatConstant(std::size_t index) const {
  ASSIGN_OR_RETURN(ConstantTensor constant, Constant(index));
  if (constant.data_type() == DataType::kFloat32) return constant;
  return RealConstant(input(index));
}

absl::StatusOr<std::vector<std::int64_t>> OperatorCall::Integers(std::size_t index,
                                                                 std::size_t most) const {
  const StoredTensor& tensor = input(index);
  const bool is_wide = tensor.data_type == DataType::kInt64;
  if (!IsConstant(index) || (!is_wide && tensor.data_type != DataType::kInt32) ||
      tensor.data.size() > most * (is_wide ? 8 : 4)) {
    return Unimplemented("input ", index, " is ",
                         IsConstant(index) ? "" : "no constant: ", Describe(tensor),
                         ", wants a constant INT32 or INT64 of at most ", most, " elements");
  }
  return is_wide ? IntegersOf<std::int64_t>(tensor.data) : IntegersOf<std::int32_t>(tensor.data);
}

absl::StatusOr<std::int64_t> OperatorCall::Axis(std::int64_t axis, std::size_t rank) {
  const auto end = static_cast<std::int64_t>(rank);
  if (axis < -end || axis >= end) {
    return Invalid("got axis ", axis, " for ", rank, " dimensions");
  }
  if (axis < 0) axis += end;
  if (axis == 0) return Unimplemented("dimension 0, which is the batch");
  return axis;
}

ValueId OperatorCall::AddConstant(absl::string_view part, ConstantTensor constant) const {
  // Named by the operator's place: a constant is what it is called.
  const auto place = &stored_ - translation_.file.operators.data();
  return graph().AddConstant(absl::StrCat(Name(part), "#", place), std::move(constant));
}

absl::StatusOr<ValueId> OperatorCall::Emit(const std::string& op, std::vector<ValueId> inputs,
                                           Attributes attributes, absl::string_view part) const {
  return graph().Emit(op, Name(part), std::move(inputs), std::move(attributes));
}

absl::StatusOr<ValueId> OperatorCall::Requantized(ValueId value, const StoredTensor& tensor,
                                                  absl::string_view part) const {
  ASSIGN_OR_RETURN(const TensorQuantization wanted, ActivationQuantization(tensor));
  const TensorType& type = graph().TypeOf(value);
  if (type.quantization == wanted && type.data_type == ActivationType(tensor)) return value;
  ASSIGN_OR_RETURN(Attributes attributes, QuantizeAttributes(tensor));
  const bool is_int16 = type.data_type == DataType::kInt16 || tensor.data_type == DataType::kInt16;
  const Profile profile = is_int16 ? translation_.profile.OfInt16() : translation_.profile;
  if (profile.is_fixed_point()) attributes["requantization"] = profile.requantization();
  return Emit("Requantize", {value}, std::move(attributes), part);
}

absl::StatusOr<ValueId> OperatorCall::ReshapedAsDeclared(ValueId value, std::size_t index) const {
  const StoredTensor& declared = output(index);
  if (declared.dims.empty() || declared.dims[0] != translation_.batch) {
    return Unimplemented("gives ", Describe(declared), ", wants the batch of ", translation_.batch,
                         " as dimension 0");
  }
  std::vector<std::int64_t> shape(declared.dims.begin(), declared.dims.end());
  for (std::size_t i = 1; i < shape.size(); ++i) {
    if (!declared.signature.empty() && declared.signature[i] == -1) shape[i] = -1;
  }
  shape[0] = 0;  // as many as there are
  return graph().Reshape(Name(), value, std::move(shape));
}

absl::Status OperatorCall::SetOutput(std::size_t index, ValueId value) const {
  const StoredTensor& declared = output(index);
  const TensorType& type = graph().TypeOf(value);
  const std::string what = absl::StrCat("output ", index, " ", Describe(declared));
  const bool is_quantized = IsQuantizedTensor(declared);
  if (type.data_type != (is_quantized ? ActivationType(declared) : declared.data_type)) {
    return Unimplemented(what, " is computed as ", DataTypeName(type.data_type));
  }
  if (is_quantized) {
    ASSIGN_OR_RETURN(const TensorQuantization quantization, ActivationQuantization(declared));
    if (type.quantization != quantization) {
      return Invalid(what, " has another scale or zero point than the input, wants the same");
    }
  }
  bool is_shape = type.shape.size() == declared.dims.size();
  for (std::size_t i = 0; is_shape && i < declared.dims.size(); ++i) {
    const Dim& dim = type.shape[i];
    const bool is_open = !declared.signature.empty() && declared.signature[i] == -1;
    is_shape = i == 0 ? dim == Dim(kRows)
                      : is_open || !dim.is_constant() || dim.value() == declared.dims[i];
  }
  if (!is_shape) {
    return Invalid(what, " is computed as ", ToString(type.shape, graph().graph().symbol_names));
  }
  OutputState(index) = {TensorState::Kind::kValue, value, {}};
  return absl::OkStatus();
}

absl::Status OperatorCall::SetFloatOutput(std::size_t index, ValueId value) const {
  if (IsQuantizedOutput(index)) {
    const bool widens =
        output(index).data_type == DataType::kInt16 && HasInput(0) && IsQuantized(0) && !IsInt16(0);
    if (widens) {
      return Unimplemented("from ", Describe(input(0)), " to ", Describe(output(index)),
                           ", wants one type");
    }
    ASSIGN_OR_RETURN(Attributes attributes, QuantizeAttributes(output(index)));
    if (ProfileOf(output(index)).is_fixed_point()) {
      attributes["rounding"] = std::string("half_away");
    }
    ASSIGN_OR_RETURN(value, Emit("Quantize", {value}, std::move(attributes), "quantize"));
  }
  return SetOutput(index, value);
}

absl::Status OperatorCall::SetConstantOutput(std::size_t index, ConstantTensor constant) const {
  if (constant.dims() != output(index).dims || constant.data_type() != output(index).data_type) {
    return Invalid("output ", index, " ", Describe(output(index)), " is computed as ",
                   DataTypeName(constant.data_type()), ToString(constant.dims()));
  }
  OutputState(index) = {TensorState::Kind::kConstant, kNoValue, std::move(constant)};
  return absl::OkStatus();
}

void OperatorCall::SetShapeOutput(std::size_t index) const {
  OutputState(index) = {TensorState::Kind::kShape, kNoValue, {}};
}

}  // namespace octet::tflite
