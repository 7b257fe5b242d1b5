// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/filled_tensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/counted_values.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operand_nodes.h"
#include "models/importers/onnx/reshape_sizes.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

bool IsSameNumber(const ConstantTensor& a, const ConstantTensor& b) {
  return NumElements(a.dims()) == 1 && NumElements(b.dims()) == 1 &&
         a.data_type() == b.data_type() && std::ranges::equal(a.bytes(), b.bytes());
}

bool IsOpen(const Dim& dim) { return !dim.is_constant(); }
bool IsOpen(const Shape& shape) {
  return std::any_of(shape.begin(), shape.end(), [](const Dim& dim) { return IsOpen(dim); });
}

// Nothing where an open axis is cut.
absl::StatusOr<std::optional<Shape>> SlicedShape(NodeCall& call, const Shape& from) {
  ASSIGN_OR_RETURN(const SliceParts parts, SlicePartsOf(call, from.size()));
  Shape shape = from;
  for (std::size_t i = 0; i < parts.axes.size(); ++i) {
    Dim& dim = shape[parts.axes[i]];
    if (IsOpen(dim)) return std::optional<Shape>();
    dim = Dim(ResolveSlice(dim.value(), parts.starts[i], parts.ends[i], parts.steps[i]).length);
    if (dim == Dim(0)) return call.Unimplemented("an empty result");
  }
  return std::optional(std::move(shape));
}

absl::StatusOr<std::optional<Shape>> ReshapedShape(NodeCall& call, const Shape& from) {
  if (call.num_inputs() != 2) return std::optional<Shape>();
  ASSIGN_OR_RETURN(const std::int64_t allows_zero, call.Int("allowzero", 0));
  ASSIGN_OR_RETURN(std::vector<Dim> wanted, call.SizesOf(1, "shape"));
  ASSIGN_OR_RETURN(Shape shape, ResolvedShape(call, from, std::move(wanted), allows_zero == 0));
  return std::optional(std::move(shape));
}

absl::StatusOr<std::optional<Shape>> TransposedShape(NodeCall& call, const Shape& from) {
  ASSIGN_OR_RETURN(const Order permutation, PermutationOf(call, from.size()));
  Shape shape;
  for (const std::size_t axis : permutation) shape.push_back(from[axis]);
  return std::optional(std::move(shape));
}

absl::StatusOr<std::optional<Shape>> SqueezedShape(NodeCall& call, const Shape& from) {
  ASSIGN_OR_RETURN(const auto axes, SqueezeAxes(call, from));
  Shape shape;
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      shape.push_back(from[axis]);
    } else if (from[axis] != Dim(1)) {
      return call.Invalid(absl::StrCat("axis ", axis, " is taken away, which is not 1"));
    }
  }
  return std::optional(std::move(shape));
}

absl::StatusOr<std::optional<Shape>> GatheredShape(NodeCall& call, const Shape& from) {
  if (call.num_inputs() != 2 || call.input(1).constant() == nullptr) return std::optional<Shape>();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, from.size()));
  ASSIGN_OR_RETURN(const auto numbers, call.Numbers(1, "indices"));
  if (IsOpen(from[axis])) return std::optional<Shape>();
  const std::int64_t size = from[axis].value();
  for (const std::int64_t number : numbers) {
    if (number < -size || number >= size) {
      return call.Invalid(absl::StrCat("index ", number, " of an axis of ", size));
    }
  }
  Shape shape(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(axis));
  const Shape inner = call.input(1).shape();
  shape.insert(shape.end(), inner.begin(), inner.end());
  shape.insert(shape.end(), from.begin() + static_cast<std::ptrdiff_t>(axis) + 1, from.end());
  return std::optional(std::move(shape));
}

// Of zeros, such as the initial state of a recurrent layer whose steps are written out.
absl::StatusOr<FoldedOutputs> FoldZeroProduct(NodeCall& call, const Filled& zeros) {
  const ConstantTensor* const matrix = call.num_inputs() == 2 ? call.input(1).constant() : nullptr;
  const bool is_zero =
      zeros.value.data_type() == DataType::kFloat32 && FloatElements(zeros.value)[0] == 0.0F;
  if (!is_zero || matrix == nullptr || matrix->dims().size() != 2 || zeros.shape.empty()) {
    return FoldedOutputs();
  }
  if (zeros.shape.back() != Dim(matrix->dims()[0])) {
    return call.Invalid(absl::StrCat("a matrix ", ToString(matrix->dims()), " for rows of ",
                                     ToString(zeros.shape, call.graph().graph().symbol_names)));
  }
  Shape shape = zeros.shape;
  shape.back() = Dim(matrix->dims()[1]);
  return Single(Filled{zeros.value, std::move(shape)});
}

// Parts that are the same number everywhere, such as the initial states of two directions. Nothing
// where they are not, or where the sum of their sizes is open.
absl::StatusOr<FoldedOutputs> FoldSameParts(NodeCall& call) {
  const Filled& first = *call.input(0).filled();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, first.shape.size()));
  Shape shape = first.shape;
  std::int64_t size = 0;
  for (const Operand& operand : call.inputs()) {
    const Filled* const part = operand.filled();
    if (part == nullptr || part->shape.size() != shape.size() || IsOpen(part->shape[axis]) ||
        !IsSameNumber(part->value, first.value)) {
      return FoldedOutputs();
    }
    Shape others = part->shape;
    others[axis] = shape[axis];
    if (others != shape) return call.Invalid("joins tensors of different shapes");
    if (__builtin_add_overflow(size, part->shape[axis].value(), &size)) {
      return call.Invalid("joins to a dimension that is no number");
    }
  }
  shape[axis] = Dim(size);
  return Single(Filled{WithDims(first.value, {1}), std::move(shape)});
}

// Parts along an axis that is known, of each row the same.
absl::StatusOr<FoldedOutputs> FoldSplit(NodeCall& call, const Filled& filled) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, filled.shape.size()));
  if (IsOpen(filled.shape[axis])) return FoldedOutputs();
  ASSIGN_OR_RETURN(const auto sizes, SplitSizes(call, filled.shape[axis].value()));
  const Dims& dims = filled.value.dims();
  const std::size_t missing = filled.shape.size() - dims.size();
  std::vector<Operand> outputs(sizes.size(), Operand{"", filled.value});
  if (axis >= missing && dims[axis - missing] != 1) {
    std::vector<Operand> inputs = call.inputs();
    inputs[0] = {call.input(0).name, filled.value};
    std::vector<AttributeProto> attributes = call.node().attributes;
    std::erase_if(attributes, [](const AttributeProto& a) { return a.name == "axis"; });
    attributes.push_back(IntAttributeOf("axis", static_cast<std::int64_t>(axis - missing)));
    ASSIGN_OR_RETURN(outputs, call.AsItself(inputs, attributes));
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const ConstantTensor* const part = outputs.at(i).constant();
    if (part == nullptr) return call.Unimplemented("a constant that cannot be cut beforehand");
    Shape shape = filled.shape;
    shape[axis] = Dim(sizes[i]);
    outputs[i] = {"", Filled{*part, std::move(shape)}};
  }
  return FoldedOutputs(std::move(outputs));
}

// A constant that is repeated along axes of 1, of which one at least is open: a class token.
// Nothing where it has more than one element along such an axis, or is repeated along others.
absl::StatusOr<FoldedOutputs> FoldTile(NodeCall& call) {
  const ConstantTensor* const constant = call.input(0).constant();
  if (constant == nullptr || call.num_inputs() != 2 || call.input(1).sizes() == nullptr) {
    return FoldedOutputs();
  }
  ASSIGN_OR_RETURN(const std::vector<Dim> repeats, call.SizesOf(1, "repeats"));
  Shape shape = ToShape(constant->dims());
  if (repeats.size() != shape.size()) return call.Invalid("its repeats have not every axis");
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (repeats[axis] == Dim(1)) continue;
    if (shape[axis] != Dim(1) || (repeats[axis].is_constant() && repeats[axis].value() < 1)) {
      return FoldedOutputs();
    }
    shape[axis] = repeats[axis];
  }
  return Single(Filled{*constant, std::move(shape)});
}

absl::StatusOr<std::optional<Shape>> MovedShape(NodeCall& call, const Shape& from) {
  const std::string& op = call.node().op_type;
  if (op == "Slice") return SlicedShape(call, from);
  if (op == "Reshape") return ReshapedShape(call, from);
  if (op == "Transpose") return TransposedShape(call, from);
  if (op == "Squeeze") return SqueezedShape(call, from);
  if (op == "Gather") return GatheredShape(call, from);
  return std::optional<Shape>();
}

// `filled.value` stretched along the axes behind the batch.
absl::StatusOr<ConstantTensor> OfOneRow(const NodeCall& call, const Filled& filled) {
  const Dims inner = ToDims(Shape(filled.shape.begin() + 1, filled.shape.end()));
  Dims dims = filled.value.dims();
  if (dims.size() == filled.shape.size()) dims.erase(dims.begin());
  dims.insert(dims.begin(), inner.size() - dims.size(), 1);
  if (dims == inner) return WithDims(filled.value, inner);
  const Operand shape = FromSizes(
      {{static_cast<std::int64_t>(inner.size())}, std::vector<Dim>(inner.begin(), inner.end())});
  ASSIGN_OR_RETURN(const auto row,
                   call.As("Expand", {{"", WithDims(filled.value, dims)}, shape}, {}, "row"));
  const ConstantTensor* const constant = row.at(0).constant();
  if (constant == nullptr) return call.Unimplemented("a constant that cannot be stretched");
  return *constant;
}

// `row` as a value of the graph that has it for each row of the batch.
absl::StatusOr<Operand> OfEachRow(const NodeCall& call, const ConstantTensor& row) {
  const Dims& dims = row.dims();
  if (row.data_type() != DataType::kFloat32 || NumElements(dims) < 1) {
    return call.Unimplemented(absl::StrCat("a constant ", DataTypeName(row.data_type()),
                                           ToString(dims), " for each row"));
  }
  ASSIGN_OR_RETURN(const ValueId zero, ZeroOfEachRow(call));
  const ValueId table =
      call.AddConstant(absl::StrCat(call.name(), "/row"), WithDims(row, {1, NumElements(dims)}));
  ASSIGN_OR_RETURN(ValueId id, call.Emit("Gather", {zero, table}, {}, "rows"));
  std::vector<std::int64_t> to = {0};
  to.insert(to.end(), dims.begin(), dims.end());
  ASSIGN_OR_RETURN(id, call.graph().Reshape(absl::StrCat(call.name(), "/stretched"), id, to));
  return call.Result(id, PlainOrder(dims.size() + 1 - call.lead()));
}

// `filled` as a value of the graph, where the batch, in front, is all that is open.
absl::StatusOr<Operand> ValueOf(const NodeCall& call, const Filled& filled) {
  const Shape& shape = filled.shape;
  const bool has_only_rows =
      call.lead() == 0 && shape.size() > 1 && shape[0] == Dim(kRows) &&
      !IsOpen(Shape(shape.begin() + 1, shape.end())) &&
      (filled.value.dims().size() < shape.size() || filled.value.dims()[0] == 1);
  if (!has_only_rows) {
    return call.Unimplemented(absl::StrCat("a constant of the open shape ",
                                           ToString(shape, call.graph().graph().symbol_names)));
  }
  ASSIGN_OR_RETURN(const ConstantTensor row, OfOneRow(call, filled));
  return OfEachRow(call, row);
}

}  // namespace

absl::StatusOr<FoldedOutputs> FoldFilledMovement(NodeCall& call) {
  if (call.num_inputs() == 0) return FoldedOutputs();
  if (call.node().op_type == "Tile") return FoldTile(call);
  const Filled* const filled = call.input(0).filled();
  if (filled != nullptr && call.node().op_type == "Concat") return FoldSameParts(call);
  if (filled != nullptr && call.node().op_type == "Split") return FoldSplit(call, *filled);
  if (filled == nullptr || NumElements(filled->value.dims()) != 1) return FoldedOutputs();
  if (call.node().op_type == "MatMul") return FoldZeroProduct(call, *filled);
  ASSIGN_OR_RETURN(const std::optional<Shape> shape, MovedShape(call, filled->shape));
  if (!shape.has_value()) return FoldedOutputs();
  return Single(Filled{WithDims(filled->value, {1}), *shape});
}

absl::StatusOr<Operand> JoinedPart(const NodeCall& call, const Operand& operand) {
  Operand part = operand;
  const ConstantTensor* const constant = operand.constant();
  if (const Filled* const filled = operand.filled()) {
    ASSIGN_OR_RETURN(part, ValueOf(call, *filled));
  } else if (constant != nullptr && call.lead() == 1) {
    ASSIGN_OR_RETURN(part, OfEachRow(call, *constant));
  } else if (constant != nullptr && call.translation().written_rows == 1 &&
             !constant->dims().empty() && constant->dims()[0] == 1) {
    const Dims& dims = constant->dims();
    ASSIGN_OR_RETURN(part,
                     OfEachRow(call, WithDims(*constant, Dims(dims.begin() + 1, dims.end()))));
  }
  part.name = operand.name;
  return part;
}

}  // namespace octet::onnx
