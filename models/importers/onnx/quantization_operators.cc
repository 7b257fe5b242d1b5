// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear, computed just as they are written: the integers are those
// that ONNX says, whatever stands between the two.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// A scale or zero point as an operand that broadcasts against an input of `rank`: one number, or
// one for each index of `axis`.
absl::StatusOr<Operand> Parameter(NodeCall& call, std::size_t index, absl::string_view what,
                                  const Shape& shape) {
  ASSIGN_OR_RETURN(const ConstantTensor constant, call.Constant(index, what));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  ASSIGN_OR_RETURN(const std::int64_t block, call.Int("block_size", 0));
  const ConstantTensor real =
      FromDoubles(DataType::kFloat32, constant.dims(), DoubleElements(constant));
  const std::string name = absl::StrCat(call.input(index).name, "/f32");
  if (block != 0) return call.Unimplemented("blocks of an activation");
  if (NumElements(real.dims()) == 1) return Operand{name, WithDims(real, {})};
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, shape.size()));
  if (real.dims().size() != 1 || Dim(real.dims()[0]) != shape[axis]) {
    return call.Invalid(absl::StrCat("its ", what, " is ", ToString(real.dims()), " for ",
                                     ToString(shape, call.graph().graph().symbol_names)));
  }
  Dims dims(shape.size() - axis, 1);
  dims[0] = real.dims()[0];
  return Operand{absl::StrCat(name, "/", axis, "_", shape.size()), WithDims(real, dims)};
}

bool IsZero(const Operand& operand) {
  const std::vector<float> values = FloatElements(*operand.constant());
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; });
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
