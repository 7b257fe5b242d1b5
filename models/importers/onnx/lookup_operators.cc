// SPDX-License-Identifier: Apache-2.0
// Elements whose places are known when the model runs. Gather is in linear_operators.cc.

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operand_nodes.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// The operand as a value whose axes are in `order`.
absl::StatusOr<ValueId> ValueOf(NodeCall& call, const Operand& operand, const Order& order) {
  if (Activation* const activation = operand.activation()) return call.InOrder(*activation, order);
  const ConstantTensor* const constant = operand.constant();
  if (constant == nullptr) return call.Unimplemented("open sizes among its inputs");
  if (call.lead() != 0) {
    return call.Unimplemented("a constant among its inputs, in a model without a batch");
  }
  return call.AddConstant(absl::StrCat(operand.name, "/order_", absl::StrJoin(order, "")),
                          TransposeConstant(*constant, order));
}

Outputs TranslateGatherElements(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const std::size_t rank = call.input(0).rank();
  if (call.input(1).rank() != rank) return call.Invalid("indices of another rank than its input");
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, rank));
  const Activation* const x = call.input(0).activation();
  const Order order = x == nullptr ? PlainOrder(rank) : NodeCall::AnyForm(*x).first;
  ASSIGN_OR_RETURN(const ValueId data, ValueOf(call, call.input(0), order));
  const ConstantTensor* const given = call.input(1).constant();
  ValueId indices = kNoValue;
  if (call.lead() == 1 && given != nullptr) {
    // The same for each row that the model is run for.
    const ConstantTensor moved = TransposeConstant(*given, order);
    Dims dims = {1};
    dims.insert(dims.end(), moved.dims().begin(), moved.dims().end());
    indices = call.AddConstant(absl::StrCat(call.name(), "/indices"), WithDims(moved, dims));
  } else {
    ASSIGN_OR_RETURN(indices, ValueOf(call, call.input(1), order));
  }
  ASSIGN_OR_RETURN(const ValueId result, call.Emit("GatherElements", {data, indices},
                                                   {{"axis", call.AxisIn(order, axis)}}));
  return Single(call.Result(result, order));
}

// The slices of a value. Rows of a batch are no axis that others may be looked up along.
absl::StatusOr<Operand> SlicesOf(NodeCall& call, Activation& x, std::int64_t batch_dims) {
  const auto lead = static_cast<std::int64_t>(call.lead());
  if (batch_dims + lead < 1) {
    return call.Unimplemented("looks up along the batch, some of whose rows would see others");
  }
  ValueId indices = kNoValue;
  if (const ConstantTensor* const given = call.input(1).constant()) {
    if (lead == 0) return call.Unimplemented("places that are known, in a model with a batch");
    // The same for each row that the model is run for.
    Dims dims = {1};
    dims.insert(dims.end(), given->dims().begin(), given->dims().end());
    const std::string& output = call.node().outputs.empty() ? call.name() : call.node().outputs[0];
    indices = call.AddConstant(absl::StrCat(output, "/indices"), WithDims(*given, std::move(dims)));
  } else {
    ASSIGN_OR_RETURN(const auto places, call.ActivationOf(1));
    ASSIGN_OR_RETURN(indices, call.InOrder(*places, PlainOrder(places->shape.size())));
  }
  ASSIGN_OR_RETURN(const ValueId data, call.InOrder(x, PlainOrder(x.shape.size())));
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit("GatherNd", {data, indices}, {{"batch_dims", batch_dims + lead}}));
  const auto rank = static_cast<std::size_t>(call.graph().Rank(result));
  return call.Result(result, PlainOrder(rank - call.lead()));
}

// The slices of a constant: rows of a table.
Outputs SlicesOfTable(NodeCall& call, const ConstantTensor& table) {
  const Shape places = call.input(1).shape();
  const Dims& dims = table.dims();
  const std::int64_t count = places.back().value();
  const auto split = static_cast<std::size_t>(count);
  OtherNodes nodes(call);
  const auto last = static_cast<std::int64_t>(places.size()) - 1;
  const DataType type = call.input(1).type();
  const auto number = [&](std::int64_t value) {
    return Operand{nodes.NameOf(absl::StrCat("number_", value)), FromInt64s(type, {}, {value})};
  };
  Operand row;
  std::int64_t rows = 1;
  for (std::size_t d = split; d-- > 0;) {
    const auto at = static_cast<std::int64_t>(d);
    ASSIGN_OR_RETURN(Operand index, nodes.Part(call.input(1), last, at, at + 1, 1, "index"));
    ASSIGN_OR_RETURN(index, nodes.Add("Squeeze", {index, nodes.Numbers({last})}, {}, "index"));
    // Negative ones count from the end of their own axis.
    ASSIGN_OR_RETURN(const Operand is_negative, nodes.Add("Less", {index, number(0)}, {}, "low"));
    ASSIGN_OR_RETURN(const Operand from_end,
                     nodes.Add("Add", {index, number(dims[d])}, {}, "from_end"));
    ASSIGN_OR_RETURN(index, nodes.Add("Where", {is_negative, from_end, index}, {}, "index"));
    if (rows != 1) {
      ASSIGN_OR_RETURN(index, nodes.Add("Mul", {index, number(rows)}, {}, "step"));
    }
    if (row.is_absent()) {
      row = std::move(index);
    } else {
      ASSIGN_OR_RETURN(row, nodes.Add("Add", {row, index}, {}, "row"));
    }
    if (__builtin_mul_overflow(rows, dims[d], &rows)) return call.Invalid("too large a table");
  }
  Dims flat = {rows};
  flat.insert(flat.end(), dims.begin() + count, dims.end());
  const Operand all = {nodes.NameOf("flat"), WithDims(table, flat)};
  ASSIGN_OR_RETURN(Operand result,
                   nodes.Add("Gather", {all, row}, {IntAttributeOf("axis", 0)}, "rows"));
  return Single(std::move(result));
}

// The slices of a tensor at places that are given by several indices each.
Outputs TranslateGatherNd(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const std::int64_t batch_dims, call.Int("batch_dims", 0));
  const Shape places = call.input(1).shape();
  const std::size_t rank = call.input(0).rank();
  if (batch_dims < 0 || batch_dims >= static_cast<std::int64_t>(std::min(rank, places.size())) ||
      !places.back().is_constant() || places.back().value() < 1 ||
      places.back().value() > static_cast<std::int64_t>(rank) - batch_dims) {
    return call.Invalid(absl::StrCat("indices ", ToString(places, {}), " into a tensor of ", rank,
                                     " dimensions, with batch_dims ", batch_dims));
  }
  if (Activation* const x = call.input(0).activation()) {
    ASSIGN_OR_RETURN(Operand slices, SlicesOf(call, *x, batch_dims));
    return Single(std::move(slices));
  }
  ASSIGN_OR_RETURN(const ConstantTensor table, call.Constant(0, "data"));
  if (batch_dims != 0) return call.Unimplemented("batch_dims of a constant");
  return SlicesOfTable(call, table);
}

// values[1] where the index is that of the new axis, counted from either end, else values[0].
Outputs TranslateOneHot(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", -1));
  ASSIGN_OR_RETURN(const ConstantTensor depth, call.Constant(1, "depth"));
  if (NumElements(depth.dims()) != 1) return call.Invalid("its depth is no single number");
  const std::int64_t count = Int64Elements(depth)[0];
  if (count < 1) return call.Invalid(absl::StrCat("a depth of ", count));
  RETURN_IF_ERROR(ReserveConstant(call, {count}));
  const std::size_t rank = call.input(0).rank() + 1;
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, rank));
  ASSIGN_OR_RETURN(const ConstantTensor values, call.Constant(2, "values"));
  if (values.dims() != Dims{2}) return call.Invalid("its values are not two");
  OtherNodes nodes(call);
  ASSIGN_OR_RETURN(
      const Operand indices,
      nodes.Add("Unsqueeze", {call.input(0), nodes.Numbers({static_cast<std::int64_t>(axis)})}, {},
                "indices"));
  Dims along(rank - axis, 1);
  along[0] = count;
  std::vector<Operand> matches;
  for (const std::int64_t first : {std::int64_t{0}, -count}) {
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < count; ++i) places.push_back(first + i);
    const Operand place = {nodes.NameOf(absl::StrCat("places_", first)),
                           FromInt64s(indices.type(), along, places)};
    if (Int64Elements(*place.constant()) != places) {
      return call.Unimplemented(absl::StrCat("a depth of ", count, " for indices of type ",
                                             DataTypeName(indices.type())));
    }
    ASSIGN_OR_RETURN(Operand match, nodes.Add("Equal", {indices, place}, {}, "match"));
    matches.push_back(std::move(match));
  }
  ASSIGN_OR_RETURN(const Operand is_on, nodes.Add("Or", matches, {}, "match"));
  const auto value = [&](std::size_t at) {
    return Operand{nodes.NameOf(absl::StrCat("value_", at)),
                   FromDoubles(values.data_type(), {}, {DoubleElements(values)[at]})};
  };
  ASSIGN_OR_RETURN(Operand result, nodes.Add("Where", {is_on, value(1), value(0)}, {}, "values"));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"GatherElements", TranslateGatherElements},
    OperatorEntry{"GatherND", TranslateGatherNd},
    OperatorEntry{"OneHot", TranslateOneHot},
};

}  // namespace

std::span<const OperatorEntry> LookupOperators() { return kOperators; }

}  // namespace octet::onnx
