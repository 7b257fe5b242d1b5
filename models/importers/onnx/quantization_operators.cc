// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear. With one constant scale for a tensor of 8 bits they are the
// graph's own operators, else they are computed just as they are written: the integers are those
// that ONNX says either way.

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/quantized_activation.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// `parameter` of blocks of `block` indices of `axis`, with an element for each index.
absl::StatusOr<ConstantTensor> SpreadBlocks(NodeCall& call, const ConstantTensor& parameter,
                                            std::int64_t block, std::size_t axis,
                                            const Shape& shape) {
  const Dims& dims = parameter.dims();
  Dims full;
  for (std::size_t i = 0; i < shape.size() && dims.size() == shape.size(); ++i) {
    if (!shape[i].is_constant()) return call.Unimplemented("blocks of an activation's open size");
    full.push_back(shape[i].value());
    const std::int64_t wanted = i == axis ? (full[i] + block - 1) / block : full[i];
    if (dims[i] != wanted) full.clear();
  }
  if (block < 1 || full.size() != shape.size()) {
    return call.Invalid(
        absl::StrCat("a scale or zero point of ", ToString(dims), " with a block_size of ", block));
  }
  RETURN_IF_ERROR(ReserveConstant(call, full));
  const std::vector<float> values = FloatElements(parameter);
  const std::int64_t inner = NumElements(std::span(dims).subspan(axis + 1));
  std::vector<float> spread(static_cast<std::size_t>(NumElements(full)));
  for (std::size_t i = 0; i < spread.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t index = at / inner % full[axis];
    const std::int64_t outer = at / inner / full[axis];
    spread[i] =
        values[static_cast<std::size_t>((outer * dims[axis] + index / block) * inner + at % inner)];
  }
  return ConstantTensor::Copy(DataType::kFloat32, full, spread);
}

// A scale or zero point as an operand that broadcasts against an input of `shape`: one number, one
// for each index of an axis, or one for each block of some.
absl::StatusOr<Operand> Parameter(NodeCall& call, std::size_t index, absl::string_view what,
                                  const Shape& shape) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  ASSIGN_OR_RETURN(const std::int64_t block, call.Int("block_size", 0));
  if (call.Has(index) && call.input(index).activation() != nullptr &&
      call.input(index).rank() == 0) {
    if (call.input(index).type() == DataType::kFloat32) return call.input(index);
    return call.Elementwise("Cast", call.input(index), {{"to", std::string("FP32")}},
                            absl::StrCat("zero_point/f32"));
  }
  ASSIGN_OR_RETURN(const ConstantTensor constant, call.Constant(index, what));
  const ConstantTensor real =
      FromDoubles(DataType::kFloat32, constant.dims(), DoubleElements(constant));
  const std::string name = absl::StrCat(call.input(index).name, "/f32");
  if (NumElements(real.dims()) == 1 && block == 0) return Operand{name, WithDims(real, {})};
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, shape.size()));
  if (block != 0) {
    ASSIGN_OR_RETURN(ConstantTensor spread, SpreadBlocks(call, real, block, axis, shape));
    return Operand{absl::StrCat(call.name(), "/", what), std::move(spread)};
  }
  if (real.dims().size() != 1 || Dim(real.dims()[0]) != shape[axis]) {
    return call.Invalid(absl::StrCat("its ", what, " is ", ToString(real.dims()), " for ",
                                     ToString(shape, call.graph().graph().symbol_names)));
  }
  Dims dims(shape.size() - axis, 1);
  dims[0] = real.dims()[0];
  return Operand{absl::StrCat(name, "/", axis, "_", shape.size()), WithDims(real, dims)};
}

bool IsZero(const Operand& operand) {
  if (operand.constant() == nullptr) return false;
  const std::vector<float> values = FloatElements(*operand.constant());
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; });
}

// Whether there is one constant scale, above 0, for a whole tensor of 8 bits.
bool IsPerTensor(const NodeCall& call, DataType type) {
  if (type != DataType::kInt8 && type != DataType::kUint8) return false;
  for (const std::size_t index : {1U, 2U}) {
    if (!call.Has(index)) continue;
    const ConstantTensor* const constant = call.input(index).constant();
    if (constant == nullptr || NumElements(constant->dims()) != 1) return false;
  }
  const ConstantTensor& scale = *call.input(1).constant();
  if (scale.data_type() != DataType::kFloat32) return false;
  const float value = FloatElements(scale)[0];
  return value > 0.0F && std::isfinite(value) && !call.HasAttribute("block_size");
}

absl::Status CheckQuantizedType(const NodeCall& call, DataType type) {
  for (const DataType known :
       {DataType::kInt8, DataType::kUint8, DataType::kInt16, DataType::kUint16, DataType::kInt32}) {
    if (type == known) return absl::OkStatus();
  }
  return call.Unimplemented(absl::StrCat("integers of type ", DataTypeName(type)));
}

// saturate(round_half_even(x / scale) + zero point)
Outputs TranslateQuantizeLinear(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  call.Ignore("saturate");   // only of 8-bit floats
  call.Ignore("precision");  // everything is computed in float32
  ASSIGN_OR_RETURN(const std::int64_t output_type, call.Int("output_dtype", 0));
  DataType type = DataType::kUint8;
  if (call.Has(2)) {
    type = call.input(2).type();
    if (call.translation().has_half_bytes.contains(call.input(2).name)) {
      return call.Unimplemented("quantizes an activation to 4 bits");
    }
  } else if (output_type != 0) {
    const auto known = ElementType(output_type);
    if (!known.ok()) return call.WithNode(known.status());
    type = *known;
    if (output_type == 21 || output_type == 22) {
      return call.Unimplemented("quantizes an activation to 4 bits");
    }
  }
  RETURN_IF_ERROR(CheckQuantizedType(call, type));
  if (x->type != DataType::kFloat32) return call.Unimplemented("quantizes integers");
  if (IsPerTensor(call, type)) {
    call.Ignore("axis");
    ASSIGN_OR_RETURN(const Quantization quantization, QuantizationOf(call, 1, 2, type));
    ASSIGN_OR_RETURN(Operand result, Quantized(call, call.input(0), quantization));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(const Operand scale, Parameter(call, 1, "scale", x->shape));
  ASSIGN_OR_RETURN(Operand value, call.Broadcast("Divide", {call.input(0), scale}, {}, "divided"));
  ASSIGN_OR_RETURN(value, call.Elementwise("ElementwiseFunction", value,
                                           {{"function", std::string("round")}}, "rounded"));
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const Operand zero_point, Parameter(call, 2, "zero point", x->shape));
    if (!IsZero(zero_point)) {
      ASSIGN_OR_RETURN(value, call.Broadcast("Add", {value, zero_point}, {}, "shifted"));
    }
  }
  // The cast saturates.
  ASSIGN_OR_RETURN(value,
                   call.Elementwise("Cast", value, {{"to", std::string(DataTypeName(type))}}));
  return Single(std::move(value));
}

// (x - zero point) * scale
Outputs TranslateDequantizeLinear(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  call.Ignore("output_dtype");
  RETURN_IF_ERROR(CheckQuantizedType(call, x->type));
  if (x->type == DataType::kInt32) {
    return call.Unimplemented("32-bit integers that depend on the model's inputs");
  }
  if (IsPerTensor(call, x->type)) {
    call.Ignore("axis");
    ASSIGN_OR_RETURN(const Quantization quantization, QuantizationOf(call, 1, 2, x->type));
    ASSIGN_OR_RETURN(Operand result, Dequantized(call, call.input(0), quantization, ""));
    return Single(std::move(result));
  }
  ASSIGN_OR_RETURN(const Operand scale, Parameter(call, 1, "scale", x->shape));
  ASSIGN_OR_RETURN(Operand value,
                   call.Elementwise("Cast", call.input(0), {{"to", std::string("FP32")}}, "real"));
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const Operand zero_point, Parameter(call, 2, "zero point", x->shape));
    if (!IsZero(zero_point)) {
      ASSIGN_OR_RETURN(value, call.Broadcast("Subtract", {value, zero_point}, {}, "centred"));
    }
  }
  ASSIGN_OR_RETURN(value, call.Broadcast("Multiply", {value, scale}));
  return Single(std::move(value));
}

constexpr std::array kOperators = {
    OperatorEntry{"DequantizeLinear", TranslateDequantizeLinear},
    OperatorEntry{"QuantizeLinear", TranslateQuantizeLinear},
};

}  // namespace

std::span<const OperatorEntry> QuantizationOperators() { return kOperators; }

}  // namespace octet::onnx
