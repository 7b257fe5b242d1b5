// SPDX-License-Identifier: Apache-2.0
// What changes a tensor's shape, or joins and fills up tensors.

#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

// The shape that RESHAPE asks for; nothing where only its output's declaration tells.
absl::StatusOr<std::vector<std::int64_t>> AskedShape(const OperatorCall& call) {
  if (call.HasInput(1) && !call.IsShape(1)) return call.Integers(1);
  const auto* const options = call.options<schema::ReshapeOptions>();
  const bool is_computed = call.HasInput(1);
  if (is_computed || options == nullptr || options->new_shape() == nullptr) {
    return std::vector<std::int64_t>();
  }
  const auto& stored = *options->new_shape();
  if (stored.size() > kMaxRank) {
    return OperatorCall::Invalid("got a shape of ", stored.size(), " dimensions, wants at most ",
                                 kMaxRank);
  }
  return std::vector<std::int64_t>(stored.begin(), stored.end());
}

absl::Status TranslateReshape(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 2));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> shape, AskedShape(call));
  if (shape.empty()) {
    ASSIGN_OR_RETURN(value, call.ReshapedAsDeclared(value, 0));
    return call.SetOutput(0, value);
  }
  const std::int64_t batch = call.translation().batch;
  if (shape[0] != -1 && shape[0] != batch) {
    return OperatorCall::Unimplemented("to ", ToString(shape), ", wants the batch of ", batch,
                                       " as dimension 0");
  }
  for (const std::int64_t dim : shape) {
    if (dim == 0 || dim < -1) {
      return OperatorCall::Invalid("to ", ToString(shape), ", wants sizes above 0, or one -1");
    }
  }
  shape[0] = 0;  // the graph's word for as many as there are
  ASSIGN_OR_RETURN(value, call.graph().Reshape(call.Name(), value, std::move(shape)));
  return call.SetOutput(0, value);
}

// SQUEEZE and EXPAND_DIMS, which change nothing but ones in the shape.
absl::Status TranslateToDeclared(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 2));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(value, call.ReshapedAsDeclared(value, 0));
  return call.SetOutput(0, value);
}

absl::Status TranslateExpandDims(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axis, call.Integers(1, 1));
  if (axis.size() != 1) return OperatorCall::Invalid("got ", axis.size(), " axes, wants one");
  RETURN_IF_ERROR(OperatorCall::Axis(axis[0], call.input(0).dims.size() + 1).status());
  return TranslateToDeclared(call);
}

absl::Status TranslateTranspose(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> permutation, call.Integers(1));
  ASSIGN_OR_RETURN(value, call.Emit("Transpose", {value}, {{"permutation", permutation}}));
  return call.SetOutput(0, value);
}

absl::Status TranslateConcatenation(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, call.num_inputs()));
  const auto* const options = call.options<schema::ConcatenationOptions>();
  if (options == nullptr) return NoOptions();
  ASSIGN_OR_RETURN(const std::string activation,
                   FusedActivation(options->fused_activation_function()));
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   OperatorCall::Axis(options->axis(), call.output(0).dims.size()));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < call.num_inputs(); ++i) {
    if (!call.HasInput(i)) return OperatorCall::Invalid("input ", i, " is not given");
    ASSIGN_OR_RETURN(ValueId value, call.Activation(i));
    // Those of int16 are joined as they are, and so have one scale.
    if (call.IsQuantizedOutput(0) && call.IsQuantized(i) && !call.IsInt16(i)) {
      ASSIGN_OR_RETURN(value,
                       call.Requantized(value, call.output(0), absl::StrCat("requantize_", i)));
    }
    inputs.push_back(value);
  }
  ASSIGN_OR_RETURN(ValueId value, call.Emit("Concat", std::move(inputs), {{"axis", axis}}));
  ASSIGN_OR_RETURN(value, Activated(call, value, activation));
  return call.SetOutput(0, value);
}

// The real number that PADV2 fills up with.
absl::StatusOr<double> PadValue(const OperatorCall& call) {
  if (!call.HasInput(2)) return 0.0;
  ASSIGN_OR_RETURN(const ConstantTensor constant, call.FloatConstant(2));
  if (NumElements(constant.dims()) != 1) {
    return OperatorCall::Invalid("got ", Describe(call.input(2)), " to pad with, wants one number");
  }
  return double{constant.as<float>()[0]};
}

// Those before each dimension, then those behind.
absl::StatusOr<std::vector<std::int64_t>> Pads(const OperatorCall& call) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> stored, call.Integers(1, 2 * kMaxRank));
  const std::size_t rank = call.input(0).dims.size();
  if (stored.size() != 2 * rank) {
    return OperatorCall::Invalid("got ", stored.size(), " pads for ", rank,
                                 " dimensions, wants two for each");
  }
  std::vector<std::int64_t> pads(2 * rank);
  for (std::size_t i = 0; i < rank; ++i) {
    pads[i] = stored[2 * i];
    pads[rank + i] = stored[2 * i + 1];
  }
  return pads;
}

absl::Status TranslatePad(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 3));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> pads, Pads(call));
  ASSIGN_OR_RETURN(const double with, PadValue(call));
  ASSIGN_OR_RETURN(value, call.Emit("Pad", {value}, {{"pads", pads}, {"value", with}}));
  return call.SetOutput(0, value);
}

absl::Status TranslateMirrorPad(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  const auto* const options = call.options<schema::MirrorPadOptions>();
  if (options == nullptr) return NoOptions();
  const int mode = options->mode();
  if (mode != 0 && mode != 1) {
    return OperatorCall::Invalid("got mode ", mode, ", wants 0 (REFLECT) or 1 (SYMMETRIC)");
  }
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> pads, Pads(call));
  const Shape& shape = call.graph().ShapeOf(value);
  for (std::size_t i = 0; i < pads.size(); ++i) {
    const std::size_t axis = i % shape.size();
    if (!shape[axis].is_constant()) continue;
    // The element at the end itself is only mirrored in SYMMETRIC.
    const std::int64_t most = shape[axis].value() - (mode == 0 ? 1 : 0);
    if (pads[i] <= most) continue;
    return OperatorCall::Invalid("got a border of ", pads[i], " for ", Describe(call.input(0)),
                                 ", wants at most ", most, " in dimension ", axis);
  }
  ASSIGN_OR_RETURN(value, call.Emit("Pad", {value},
                                    {{"pads", pads},
                                     {"mode", std::string(mode == 0 ? "reflect" : "symmetric")}}));
  return call.SetOutput(0, value);
}

absl::Status TranslateShape(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(1, 1));
  call.SetShapeOutput(0);
  return absl::OkStatus();
}

// A row of a table for each index.
absl::Status TranslateGather(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  const auto* const options = call.options<schema::GatherOptions>();
  const bool is_lookup = options == nullptr || (options->axis() == 0 && options->batch_dims() == 0);
  if (!is_lookup || !call.IsConstant(0) || call.input(0).dims.size() != 2) {
    return OperatorCall::Unimplemented("of ", Describe(call.input(0)),
                                       ", wants rows of a constant table");
  }
  ASSIGN_OR_RETURN(const ValueId indices, call.Activation(1));
  ASSIGN_OR_RETURN(const ValueId table, call.FloatOperand(0));
  ASSIGN_OR_RETURN(const ValueId value, call.Emit("Gather", {indices, table}));
  return call.SetFloatOutput(0, value);
}

absl::Status TranslateResize(OperatorCall& call, const std::string& interpolation,
                             bool align_corners, bool half_pixel_centers) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> size, call.Integers(1, 2));
  const Dims& from = call.input(0).dims;
  if (size.size() != 2 || from.size() != 4) {
    return OperatorCall::Invalid("got ", Describe(call.input(0)), " to ", ToString(size),
                                 ", wants an image and two sizes");
  }
  // Where sizes grow by whole factors, the nearest pixel is the same for both conventions.
  const bool is_multiple = from[1] > 0 && from[2] > 0 && size[0] % from[1] == 0 &&
                           size[1] % from[2] == 0 && interpolation == "nearest";
  if (align_corners || (!half_pixel_centers && !is_multiple)) {
    return OperatorCall::Unimplemented(
        "without half_pixel_centers, but for a RESIZE_NEAREST_NEIGHBOR by whole factors");
  }
  ASSIGN_OR_RETURN(const ValueId x, call.FloatOperand(0));
  ASSIGN_OR_RETURN(const ValueId value,
                   call.Emit("Resize2d", {x}, {{"size", size}, {"interpolation", interpolation}}));
  return call.SetFloatOutput(0, value);
}

absl::Status TranslateResizeBilinear(OperatorCall& call) {
  const auto* const options = call.options<schema::ResizeBilinearOptions>();
  if (options == nullptr) return NoOptions();
  return TranslateResize(call, "bilinear", options->align_corners(), options->half_pixel_centers());
}

absl::Status TranslateResizeNearest(OperatorCall& call) {
  const auto* const options = call.options<schema::ResizeNearestNeighborOptions>();
  if (options == nullptr) return NoOptions();
  return TranslateResize(call, "nearest", options->align_corners(), options->half_pixel_centers());
}

}  // namespace

std::vector<Translator> ShapeTranslators() {
  return {{2, TranslateConcatenation}, {22, TranslateReshape},       {23, TranslateResizeBilinear},
          {34, TranslatePad},          {36, TranslateGather},        {39, TranslateTranspose},
          {43, TranslateToDeclared},   {60, TranslatePad},           {70, TranslateExpandDims},
          {77, TranslateShape},        {97, TranslateResizeNearest}, {100, TranslateMirrorPad}};
}

}  // namespace octet::tflite
