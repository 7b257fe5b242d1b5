// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/open_tensors.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/counted_values.h"
#include "models/importers/onnx/filled_tensors.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/open_tables.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

bool IsOpen(const Operand& operand) {
  return operand.places() != nullptr || operand.cut() != nullptr || operand.filled() != nullptr;
}

// --- Moving them.

absl::StatusOr<FoldedOutputs> FoldUnsqueeze(NodeCall& call) {
  const Operand& x = call.input(0);
  ASSIGN_OR_RETURN(const auto axes, UnsqueezeAxes(call, x.rank()));
  if (x.rank() + axes.size() > kMaxRank) {
    return call.Unimplemented("a tensor of more than 8 dimensions");
  }
  const auto widen = [&axes](auto& list, const Dim& filler) {
    for (const std::size_t axis : axes) {
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(axis), filler);
    }
  };
  if (const Places* const places = x.places()) {
    Places result = *places;
    widen(result.shape, Dim(1));
    widen(result.steps, Dim(0));
    return Single(std::move(result));
  }
  if (const Cut* const cut = x.cut()) {
    Cut result = *cut;
    widen(result.shape, Dim(1));
    for (const std::size_t axis : axes) result.axis += axis <= result.axis ? 1 : 0;
    return Single(std::move(result));
  }
  Filled result = *x.filled();
  Dims dims(result.shape.size() - result.value.dims().size(), 1);
  dims.insert(dims.end(), result.value.dims().begin(), result.value.dims().end());
  for (const std::size_t axis : axes) {
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  }
  widen(result.shape, Dim(1));
  result.value = WithDims(result.value, std::move(dims));
  return Single(std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldExpand(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const Operand& x = call.input(0);
  const bool becomes_open = x.constant() != nullptr && call.input(1).sizes() != nullptr;
  if (!becomes_open && x.filled() == nullptr && x.places() == nullptr) return FoldedOutputs();
  ASSIGN_OR_RETURN(const std::vector<Dim> wanted, call.SizesOf(1, "shape"));
  const auto shape = StretchedShape(x.shape(), wanted);
  if (!shape.ok()) return call.WithNode(shape.status());
  if (shape->size() > kMaxRank) return call.Unimplemented("a tensor of more than 8 dimensions");
  if (becomes_open) return Single(Filled{*x.constant(), *shape});
  if (x.filled() != nullptr) return Single(Filled{x.filled()->value, *shape});
  Places result = *x.places();
  result.steps.insert(result.steps.begin(), shape->size() - result.shape.size(), Dim(0));
  result.shape = *shape;
  return Single(std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldConcat(NodeCall& call) {
  Coordinates result;
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  for (const Operand& operand : call.inputs()) {
    const Places* const places = operand.places();
    if (places == nullptr) return FoldedOutputs();
    const std::size_t rank = places->shape.size();
    ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, rank));
    if (axis + 1 != rank || places->shape.back() != Dim(1)) return FoldedOutputs();
    Places column = *places;
    column.shape.pop_back();
    column.steps.pop_back();
    if (!result.columns.empty() && result.columns.front().shape != column.shape) {
      return call.Invalid("joins tensors of different shapes");
    }
    result.columns.push_back(std::move(column));
  }
  return Single(std::move(result));
}

// --- Computing with them.

// Positions, and constants that are some along one axis.
std::optional<Places> AsPlaces(const Operand& operand) {
  if (const Places* const places = operand.places()) return *places;
  const ConstantTensor* const constant = operand.constant();
  if (constant == nullptr || !IsInteger(constant->data_type())) return std::nullopt;
  const Dims& dims = constant->dims();
  const std::int64_t longest = dims.empty() ? 0 : *std::max_element(dims.begin(), dims.end());
  if (longest < 1 || NumElements(dims) != longest) return std::nullopt;
  const std::vector<std::int64_t> numbers = Int64Elements(*constant);
  const std::optional<std::int64_t> step = StepOf(numbers);
  if (!step.has_value()) return std::nullopt;
  Places places{constant->data_type(), ToShape(dims), {}, numbers[0]};
  for (const std::int64_t dim : dims) places.steps.emplace_back(dim == 1 ? 0 : *step);
  return places;
}

// a + b, or a * b where one of them is one number; nothing where the result is none of these.
absl::StatusOr<FoldedOutputs> FoldSum(NodeCall& call, const Places& a, const Places& b) {
  const auto shape = StretchedShape(a.shape, b.shape);
  if (!shape.ok()) return call.WithNode(shape.status());
  Places result{a.type, *shape, std::vector<Dim>(shape->size(), Dim(0)), a.first + b.first};
  for (const Places* const part : {&a, &b}) {
    const std::size_t missing = shape->size() - part->shape.size();
    for (std::size_t i = 0; i < part->shape.size(); ++i) {
      const auto sum = Dim::Sum(result.steps[missing + i], part->steps[i]);
      if (!sum.ok()) return FoldedOutputs();
      result.steps[missing + i] = *sum;
    }
  }
  if (result.first > kMostPlaces) return FoldedOutputs();
  return Single(std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldProduct(const Places& places, const Dim& factor) {
  Places result = places;
  for (Dim& step : result.steps) {
    const auto product = Dim::Product(step, factor);
    if (!product.ok()) return FoldedOutputs();
    step = *product;
  }
  if (result.first != 0) {
    if (!factor.is_constant() || factor.value() > kMostPlaces) return FoldedOutputs();
    if (__builtin_mul_overflow(result.first, factor.value(), &result.first)) return FoldedOutputs();
    if (result.first > kMostPlaces) return FoldedOutputs();
  }
  return Single(std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldArithmetic(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (call.num_inputs() != 2) return FoldedOutputs();
  for (const std::size_t side : {0U, 1U}) {
    const Places* const places = call.input(side).places();
    const auto number = WholeNumber(call.input(1 - side));
    if (places == nullptr || !number) continue;
    if (number->is_constant() && (number->value() < 0 || number->value() > kMostPlaces)) {
      return FoldedOutputs();
    }
    if (call.input(1 - side).rank() > places->shape.size()) return FoldedOutputs();
    if (op == "Mul") return FoldProduct(*places, *number);
    if (!number->is_constant()) return FoldedOutputs();
    return FoldSum(call, *places, Places{places->type, {}, {}, number->value()});
  }
  const std::optional<Places> a = AsPlaces(call.input(0));
  const std::optional<Places> b = AsPlaces(call.input(1));
  if (op == "Mul" || !a.has_value() || !b.has_value()) return FoldedOutputs();
  return FoldSum(call, *a, *b);
}

// Positions are never below their first one: what is asked of them may be true everywhere.
absl::StatusOr<FoldedOutputs> FoldComparison(NodeCall& call) {
  if (call.num_inputs() != 2) return FoldedOutputs();
  const Places* const places = call.input(0).places();
  const auto bound = WholeNumber(call.input(1));
  if (places == nullptr || !bound || !bound->is_constant()) return FoldedOutputs();
  if (call.input(1).rank() > places->shape.size()) return FoldedOutputs();
  const std::string& op = call.node().op_type;
  const bool is_true =
      op == "GreaterOrEqual" ? places->first >= bound->value() : places->first > bound->value();
  const bool is_false =
      op == "Less" ? places->first >= bound->value() : places->first > bound->value();
  const bool asks_above = op == "GreaterOrEqual" || op == "Greater";
  if (asks_above ? !is_true : !is_false) return FoldedOutputs();
  return Single(Filled{FromInt64s(DataType::kBool, {1}, {asks_above ? 1 : 0}), places->shape});
}

// An operator that computes each element for itself, of what is the same everywhere.
absl::StatusOr<FoldedOutputs> FoldFilled(NodeCall& call) {
  Shape shape;
  std::vector<Operand> values;
  bool has_filled = false;
  for (const Operand& operand : call.inputs()) {
    const Filled* const filled = operand.filled();
    const bool is_one = operand.constant() != nullptr;
    if (filled == nullptr && !is_one) return FoldedOutputs();
    const auto stretched = StretchedShape(shape, operand.shape());
    if (!stretched.ok()) return call.WithNode(stretched.status());
    shape = *stretched;
    has_filled = has_filled || filled != nullptr;
    values.push_back(filled != nullptr ? Operand{operand.name, filled->value} : operand);
  }
  if (!has_filled) return FoldedOutputs();
  ASSIGN_OR_RETURN(const auto results, call.AsItself(values, call.node().attributes));
  const ConstantTensor* const result = results.at(0).constant();
  if (result == nullptr) return call.Unimplemented("a constant that cannot be computed beforehand");
  return Single(Filled{*result, std::move(shape)});
}

// An operator that computes each element for itself, with single numbers: as well of the whole
// table. Nothing where it needs more.
absl::StatusOr<FoldedOutputs> FoldOfTable(NodeCall& call) {
  const Cut& cut = *call.input(0).cut();
  std::vector<Operand> operands = {{cut.source, cut.table}};
  for (std::size_t i = 1; i < call.num_inputs(); ++i) {
    const ConstantTensor* const constant = call.input(i).constant();
    if (constant == nullptr || NumElements(constant->dims()) != 1 ||
        constant->dims().size() > cut.table.dims().size()) {
      return FoldedOutputs();
    }
    operands.push_back(call.input(i));
  }
  RETURN_IF_ERROR(ReserveConstant(call, cut.table.dims()));
  ASSIGN_OR_RETURN(const auto results, call.AsItself(operands, call.node().attributes));
  const ConstantTensor* const table = results.at(0).constant();
  if (table == nullptr || table->dims() != cut.table.dims()) {
    return call.Unimplemented("a constant that cannot be computed beforehand");
  }
  Cut result = cut;
  result.table = *table;
  return Single(std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldCast(NodeCall& call, const Places& places) {
  ASSIGN_OR_RETURN(const std::int64_t to, call.Int("to", 0));
  const absl::StatusOr<DataType> type = ElementType(to);
  if (!type.ok()) return call.WithNode(type.status());
  if (*type != DataType::kInt64 && *type != DataType::kInt32) return FoldedOutputs();
  call.Ignore("saturate");
  call.Ignore("round_mode");
  Places result = places;
  result.type = *type;
  return Single(std::move(result));
}

// --- Values of the graph.

// The shape of a value that is a row of `length` along `axis` of `rank` axes.
std::vector<std::int64_t> AlongAxis(const NodeCall& call, std::size_t rank, std::size_t axis) {
  std::vector<std::int64_t> shape(rank + call.lead(), 1);
  shape[0] = 0;
  shape[axis + call.lead()] = -1;
  return shape;
}

absl::StatusOr<Operand> ValueOf(const NodeCall& call, const Cut& cut, std::size_t rank) {
  if (cut.table.data_type() != DataType::kFloat32) {
    return call.Unimplemented(absl::StrCat(
        "cuts a table of type ", DataTypeName(cut.table.data_type()), " to an open length"));
  }
  const std::size_t missing = rank - cut.shape.size();
  const Dims& dims = cut.table.dims();
  const std::int64_t width = NumElements(std::span(dims).subspan(1));
  if (width < 1) return call.Unimplemented("an empty tensor");
  ASSIGN_OR_RETURN(const ValueId counted, CountingValue(call, cut.shape[cut.axis]));
  ConstantTensor table = WithDims(cut.table, {dims[0], width});
  ASSIGN_OR_RETURN(
      ValueId id,
      call.graph().Emit("Gather", cut.node,
                        {counted, call.AddConstant(absl::StrCat(cut.source, "/rows"), table)}));
  if (dims.size() == 2) call.Record("Embedding", cut.source, {{"embeddings", table, ""}});
  std::vector<std::int64_t> shape = AlongAxis(call, rank, missing + cut.axis);
  for (std::size_t i = cut.axis + 1; i < cut.shape.size(); ++i) {
    shape[missing + i + call.lead()] = cut.shape[i].value();
  }
  ASSIGN_OR_RETURN(id, call.graph().Reshape(absl::StrCat(cut.node, "/axes"), id, shape));
  return call.Result(id, PlainOrder(rank));
}

// Element by element: what is all one number, positions, and what is only asked for its shape.
absl::StatusOr<FoldedOutputs> FoldElements(NodeCall& call) {
  const std::string& op = call.node().op_type;
  ASSIGN_OR_RETURN(FoldedOutputs same, FoldFilled(call));
  if (same.has_value()) return same;
  if (op == "Add" || op == "Mul") return FoldArithmetic(call);
  if (op == "Greater" || op == "GreaterOrEqual" || op == "Less" || op == "LessOrEqual") {
    return FoldComparison(call);
  }
  const bool is_only_places = std::all_of(call.inputs().begin(), call.inputs().end(),
                                          [](const Operand& o) { return o.places() != nullptr; });
  if (!is_only_places || (op != "Max" && op != "Min")) return FoldedOutputs();
  ShapeOnly result{call.input(0).type(), {}};
  for (const Operand& operand : call.inputs()) {
    const auto shape = StretchedShape(result.shape, operand.shape());
    if (!shape.ok()) return call.WithNode(shape.status());
    result.shape = *shape;
  }
  return Single(std::move(result));
}

}  // namespace

bool HasRoomForRows(const NodeCall& call, const Shape& shape, std::size_t rank) {
  if (rank + call.lead() > kMaxRank) return false;
  if (call.lead() == 1) return true;
  return rank > shape.size() || (rank == shape.size() && rank > 0 && shape[0] == Dim(1));
}

absl::StatusOr<Operand> ValueOf(const NodeCall& call, const Places& places, std::size_t rank) {
  const std::size_t missing = rank - places.shape.size();
  Operand sum;
  Shape stretched(missing, Dim(1));
  const std::string type(DataTypeName(places.type));
  for (std::size_t i = 0; i < places.shape.size(); ++i) {
    const Dim& length = places.shape[i];
    stretched.push_back(length);
    if (length == Dim(1) || places.steps[i] == Dim(0)) continue;
    if (!places.steps[i].is_constant()) {
      return call.Unimplemented("positions that are an open number apart");
    }
    Operand part;
    if (length.is_constant()) {
      Dims dims(rank, 1);
      dims[missing + i] = length.value();
      RETURN_IF_ERROR(ReserveConstant(call, dims));
      std::vector<std::int64_t> numbers;
      for (std::int64_t k = 0; k < length.value(); ++k) numbers.push_back(k);
      part = {absl::StrCat(call.name(), "/counted_", i),
              FromInt64s(places.type, std::move(dims), numbers)};
    } else {
      ASSIGN_OR_RETURN(ValueId id, CountingValue(call, length));
      ASSIGN_OR_RETURN(id, call.graph().Cast(absl::StrCat(call.name(), "/cast"), id, places.type));
      ASSIGN_OR_RETURN(id, call.graph().Reshape(absl::StrCat(call.name(), "/along"), id,
                                                AlongAxis(call, rank, missing + i)));
      part = call.Result(id, PlainOrder(rank));
    }
    if (places.steps[i] != Dim(1)) {
      const Operand factor = {absl::StrCat(call.name(), "/step_", i),
                              FromInt64s(places.type, {1}, {places.steps[i].value()})};
      ASSIGN_OR_RETURN(part, call.Broadcast("Multiply", {part, factor}, {}, "steps"));
    }
    if (sum.is_absent()) {
      sum = std::move(part);
    } else {
      ASSIGN_OR_RETURN(sum, call.Broadcast("Add", {sum, part}, {}, "sum"));
    }
  }
  if (sum.activation() == nullptr) return call.Unimplemented("a constant of an open shape");
  if (places.first != 0) {
    const Operand first = {absl::StrCat(call.name(), "/first"),
                           FromInt64s(places.type, {1}, {places.first})};
    ASSIGN_OR_RETURN(sum, call.Broadcast("Add", {sum, first}, {}, "from"));
  }
  return call.AsStretched(std::move(sum), stretched);
}

absl::StatusOr<FoldedOutputs> FoldOpen(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (call.num_inputs() == 0 || call.input(0).is_absent()) return FoldedOutputs();
  if (op == "Range") return FoldRange(call);
  if (op == "Slice") return FoldSlice(call);
  if (op == "Gather") return FoldGather(call);
  if (op == "GatherElements") return FoldGatherElements(call);
  if (op == "Expand") return FoldExpand(call);
  if (std::none_of(call.inputs().begin(), call.inputs().end(), IsOpen)) return FoldedOutputs();
  const Operand& x = call.input(0);
  if (op == "Unsqueeze" && IsOpen(x)) return FoldUnsqueeze(call);
  if (op == "Concat") return FoldConcat(call);
  if (op == "Cast" && x.places() != nullptr) return FoldCast(call, *x.places());
  if ((op == "Cast" || op == "DequantizeLinear") && x.cut() != nullptr) return FoldOfTable(call);
  if (!IsElementwise(op)) return FoldedOutputs();
  return FoldElements(call);
}

absl::StatusOr<std::vector<Operand>> WithValues(const NodeCall& call) {
  std::size_t rank = 0;
  for (const Operand& operand : call.inputs()) {
    if (!operand.is_absent()) rank = std::max(rank, operand.rank());
  }
  std::vector<Operand> inputs = call.inputs();
  for (Operand& operand : inputs) {
    if (call.node().op_type == "Concat" && operand.activation() == nullptr) {
      ASSIGN_OR_RETURN(operand, JoinedPart(call, operand));
    }
    const std::size_t wanted =
        IsElementwise(call.node().op_type) || operand.is_absent() ? rank : operand.rank();
    if (operand.is_absent() || !HasRoomForRows(call, operand.shape(), wanted)) continue;
    const std::string name = operand.name;
    if (operand.places() != nullptr) {
      ASSIGN_OR_RETURN(operand, ValueOf(call, *operand.places(), wanted));
    } else if (operand.cut() != nullptr) {
      ASSIGN_OR_RETURN(operand, ValueOf(call, *operand.cut(), wanted));
    }
    operand.name = name;
  }
  return inputs;
}

}  // namespace octet::onnx
