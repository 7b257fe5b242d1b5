// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/open_tables.h"

#include <algorithm>
#include <utility>

#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// The rows of `constant` from `first` on.
absl::StatusOr<ConstantTensor> RowsFrom(const NodeCall& call, const ConstantTensor& constant,
                                        std::int64_t first) {
  if (first == 0) return constant;
  Dims dims = constant.dims();
  const std::size_t row_size = constant.bytes().size() / static_cast<std::size_t>(dims[0]);
  dims[0] -= first;
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  return ConstantTensor::Copy(constant.data_type(), dims,
                              constant.bytes().subspan(static_cast<std::size_t>(first) * row_size));
}

// Whether all elements of `constant`, of which there are some, are the same.
bool IsUniform(const ConstantTensor& constant) {
  const std::span<const std::byte> bytes = constant.bytes();
  const std::size_t size = BitWidth(constant.data_type()) / 8;
  if (size == 0 || bytes.size() < size) return false;
  for (std::size_t at = size; at < bytes.size(); ++at) {
    if (bytes[at] != bytes[at - size]) return false;
  }
  return true;
}

}  // namespace

std::optional<Dim> WholeNumber(const Operand& operand) {
  if (const Sizes* const sizes = operand.sizes()) {
    if (sizes->elements.size() == 1 && sizes->products.empty()) return sizes->elements[0];
    return std::nullopt;
  }
  const ConstantTensor* const constant = operand.constant();
  if (constant == nullptr || !IsInteger(constant->data_type()) ||
      NumElements(constant->dims()) != 1) {
    return std::nullopt;
  }
  return Dim(Int64Elements(*constant)[0]);
}

std::optional<std::int64_t> StepOf(const std::vector<std::int64_t>& numbers) {
  const std::int64_t first = numbers[0];
  std::int64_t step = 0;
  if (numbers.size() > 1 && __builtin_sub_overflow(numbers[1], first, &step)) return std::nullopt;
  if (first < 0 || first > kMostPlaces || step < 0 || step > kMostPlaces) return std::nullopt;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] - numbers[i - 1] != step) return std::nullopt;
  }
  return step;
}

absl::StatusOr<FoldedOutputs> FoldRange(NodeCall& call) {
  if (call.num_inputs() != 3) return FoldedOutputs();
  const auto first = WholeNumber(call.input(0));
  const auto end = WholeNumber(call.input(1));
  const auto step = WholeNumber(call.input(2));
  if (!first || !end || !step || end->is_constant()) return FoldedOutputs();
  if (!first->is_constant() || !step->is_constant() || step->value() < 1 || first->value() < 0) {
    return call.Unimplemented("counts from, or by, what is open or negative");
  }
  if (step->value() > kMostPlaces || first->value() > kMostPlaces) {
    return call.Invalid("its bounds are out of range");
  }
  absl::StatusOr<Dim> count = end->Plus(-first->value());
  if (count.ok() && step->value() > 1) count = count->Plus(step->value() - 1);
  if (count.ok()) count = count->FloorDividedBy(step->value());
  if (!count.ok()) return call.WithNode(count.status());
  return Single(Places{call.input(0).type(), {*count}, {*step}, first->value()});
}

absl::StatusOr<FoldedOutputs> FoldSlice(NodeCall& call) {
  const Operand& data = call.input(0);
  if (data.constant() == nullptr || call.num_inputs() < 4 || call.num_inputs() > 5) {
    return FoldedOutputs();
  }
  const auto start = WholeNumber(call.input(1));
  const auto end = WholeNumber(call.input(2));
  if (!start || !end || end->is_constant() || !start->is_constant()) return FoldedOutputs();
  ASSIGN_OR_RETURN(const auto axes, call.Numbers(3, "axes"));
  std::vector<std::int64_t> steps = {1};
  if (call.Has(4)) {
    ASSIGN_OR_RETURN(steps, call.Numbers(4, "steps"));
  }
  const Dims& dims = data.constant()->dims();
  if (axes.size() != 1 || steps != std::vector<std::int64_t>{1}) return FoldedOutputs();
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(axes[0], dims.size()));
  const std::int64_t first = start->value();
  if (first < 0 || first >= dims[axis] || BitWidth(data.type()) < 8) return FoldedOutputs();
  const auto length = end->Plus(-first);
  if (!length.ok()) return call.WithNode(length.status());
  call.translation().NoteLongest(*length, dims[axis] - first);
  Shape shape = ToShape(dims);
  shape[axis] = *length;
  Order order = {axis};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i != axis) order.push_back(i);
    if (i < axis && dims[i] != 1) return call.Unimplemented("cuts more than rows of a constant");
  }
  ASSIGN_OR_RETURN(ConstantTensor table,
                   RowsFrom(call, TransposeConstant(*data.constant(), order), first));
  if (IsInteger(table.data_type()) && NumElements(table.dims()) == table.dims()[0]) {
    const std::vector<std::int64_t> numbers = Int64Elements(table);
    const std::optional<std::int64_t> step = StepOf(numbers);
    if (step == 0) {
      return Single(Filled{FromInt64s(table.data_type(), {1}, {numbers[0]}), std::move(shape)});
    }
    if (step.has_value()) {
      std::vector<Dim> places(shape.size(), Dim(0));
      places[axis] = Dim(*step);
      return Single(Places{table.data_type(), std::move(shape), std::move(places), numbers[0]});
    }
  }
  return Single(Cut{call.name(), data.name, std::move(table), std::move(shape), axis});
}

absl::StatusOr<FoldedOutputs> FoldGather(NodeCall& call) {
  if (call.num_inputs() != 2 || call.input(0).constant() == nullptr) return FoldedOutputs();
  const ConstantTensor& table = *call.input(0).constant();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  if (raw_axis != 0 || table.dims().empty() || table.dims()[0] < 1 ||
      BitWidth(table.data_type()) < 8) {
    return FoldedOutputs();
  }
  const std::int64_t rows = table.dims()[0];
  const Shape inner = ToShape(std::span(table.dims()).subspan(1));
  if (const Filled* const index = call.input(1).filled()) {
    if (NumElements(index->value.dims()) != 1 || !IsInteger(index->value.data_type())) {
      return FoldedOutputs();
    }
    ASSIGN_OR_RETURN(auto row, call.As("Gather",
                                       {call.input(0),
                                        {"", WithDims(index->value, Dims(index->shape.size(), 1))}},
                                       {}, "row"));
    Shape shape = index->shape;
    shape.insert(shape.end(), inner.begin(), inner.end());
    return Single(Filled{*row.at(0).constant(), std::move(shape)});
  }
  const Places* const index = call.input(1).places();
  if (index == nullptr) return FoldedOutputs();
  std::size_t axis = index->shape.size();
  for (std::size_t i = 0; i < index->shape.size(); ++i) {
    if (index->shape[i] == Dim(1)) continue;
    if (axis != index->shape.size() || index->steps[i] != Dim(1)) return FoldedOutputs();
    axis = i;
  }
  if (axis == index->shape.size() || index->first >= rows) return FoldedOutputs();
  call.translation().NoteLongest(index->shape[axis], rows - index->first);
  Shape shape = index->shape;
  shape.insert(shape.end(), inner.begin(), inner.end());
  if (shape.size() > kMaxRank) return call.Unimplemented("a tensor of more than 8 dimensions");
  ASSIGN_OR_RETURN(ConstantTensor cut, RowsFrom(call, table, index->first));
  return Single(Cut{call.name(), call.input(0).name, std::move(cut), std::move(shape), axis});
}

absl::StatusOr<FoldedOutputs> FoldGatherElements(NodeCall& call) {
  if (call.num_inputs() != 2 || call.input(1).is_absent()) return FoldedOutputs();
  const Operand& data = call.input(0);
  const ConstantTensor* const constant =
      data.filled() != nullptr ? &data.filled()->value : data.constant();
  if (constant == nullptr || !IsUniform(*constant) || call.input(1).constant() != nullptr) {
    return FoldedOutputs();
  }
  call.Ignore("axis");
  const std::size_t size = BitWidth(constant->data_type()) / 8;
  return Single(
      Filled{ConstantTensor::Copy(constant->data_type(), {1}, constant->bytes().subspan(0, size)),
             call.input(1).shape()});
}

}  // namespace octet::onnx
