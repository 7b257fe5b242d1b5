// SPDX-License-Identifier: Apache-2.0
// Sums, products, means and extremes along axes.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_reduction.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

// `kind` of "any" is that of booleans.
absl::StatusOr<Operand> Reduce(NodeCall& call, const Operand& operand, const std::string& kind,
                               const Reduction& reduction, absl::string_view suffix = "") {
  if (reduction.axes.empty()) return operand;
  Activation* const x = operand.activation();
  if (x == nullptr) return call.Unimplemented("a constant that cannot be computed beforehand");
  const auto [order, id] = NodeCall::AnyForm(*x);
  std::vector<std::int64_t> axes;
  for (const std::size_t axis : reduction.axes) axes.push_back(call.AxisIn(order, axis));
  std::sort(axes.begin(), axes.end());
  const bool is_any = kind == "any";
  Attributes attributes = {{"axes", axes}, {"keep_dims", std::int64_t{reduction.keeps ? 1 : 0}}};
  if (!is_any) attributes["kind"] = kind;
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit(is_any ? "ReduceAny" : "Reduce", {id}, std::move(attributes), suffix));
  if (reduction.keeps) return call.Result(result, order);
  const auto is_gone = [&](std::size_t axis) {
    return std::find(reduction.axes.begin(), reduction.axes.end(), axis) != reduction.axes.end();
  };
  Order left;
  for (const std::size_t axis : order) {
    if (is_gone(axis)) continue;
    left.push_back(axis - static_cast<std::size_t>(
                              std::count_if(reduction.axes.begin(), reduction.axes.end(),
                                            [axis](std::size_t gone) { return gone < axis; })));
  }
  return call.Result(result, left);
}

absl::StatusOr<Operand> Activate(NodeCall& call, const Operand& operand, const std::string& name,
                                 absl::string_view suffix) {
  return call.Elementwise("Activation", operand, {{"activation", name}}, suffix);
}

Outputs SimpleReduction(NodeCall& call, const std::string& kind) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const Reduction reduction, ReductionOf(call, call.input(0).rank()));
  ASSIGN_OR_RETURN(Operand result, Reduce(call, call.input(0), kind, reduction));
  return Single(std::move(result));
}

// A maximum or minimum; of booleans whether any, or each, is true.
Outputs ExtremeReduction(NodeCall& call, const std::string& kind) {
  if (!call.Has(0) || call.input(0).type() != DataType::kBool) return SimpleReduction(call, kind);
  if (kind == "max") return SimpleReduction(call, "any");
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const Reduction reduction, ReductionOf(call, call.input(0).rank()));
  ASSIGN_OR_RETURN(Operand value, call.Elementwise("Not", call.input(0), {}, "not"));
  ASSIGN_OR_RETURN(value, Reduce(call, value, "any", reduction, "any"));
  ASSIGN_OR_RETURN(value, call.Elementwise("Not", value));
  return Single(std::move(value));
}
Outputs TranslateReduceMax(NodeCall& call) { return ExtremeReduction(call, "max"); }
Outputs TranslateReduceMean(NodeCall& call) { return SimpleReduction(call, "mean"); }
Outputs TranslateReduceMin(NodeCall& call) { return ExtremeReduction(call, "min"); }
Outputs TranslateReduceProd(NodeCall& call) { return SimpleReduction(call, "prod"); }
Outputs TranslateReduceSum(NodeCall& call) { return SimpleReduction(call, "sum"); }

// A sum with a function before it and, perhaps, one behind.
Outputs ComposedSum(NodeCall& call, const std::string& before, const std::string& behind) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const Reduction reduction, ReductionOf(call, call.input(0).rank()));
  Operand value = call.input(0);
  if (!before.empty()) {
    ASSIGN_OR_RETURN(value, Activate(call, value, before, before));
  }
  ASSIGN_OR_RETURN(value, Reduce(call, value, "sum", reduction, behind.empty() ? "" : "sum"));
  if (!behind.empty()) {
    ASSIGN_OR_RETURN(value, Activate(call, value, behind, ""));
  }
  return Single(std::move(value));
}
Outputs TranslateReduceL1(NodeCall& call) { return ComposedSum(call, "abs", ""); }
Outputs TranslateReduceL2(NodeCall& call) { return ComposedSum(call, "square", "sqrt"); }
Outputs TranslateReduceSumSquare(NodeCall& call) { return ComposedSum(call, "square", ""); }
Outputs TranslateReduceLogSum(NodeCall& call) { return ComposedSum(call, "", "log"); }

// max + log(sum(exp(x - max))), which overflows nowhere.
Outputs TranslateReduceLogSumExp(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const Reduction reduction, ReductionOf(call, call.input(0).rank()));
  if (reduction.axes.empty()) return Single(call.input(0));
  const Reduction kept = {reduction.axes, true};
  ASSIGN_OR_RETURN(const Operand highest, Reduce(call, call.input(0), "max", kept, "max"));
  ASSIGN_OR_RETURN(Operand value,
                   call.Broadcast("Subtract", {call.input(0), highest},
                                  {{"activation", std::string("exponential")}}, "exp"));
  ASSIGN_OR_RETURN(value, Reduce(call, value, "sum", kept, "sum"));
  ASSIGN_OR_RETURN(value, Activate(call, value, "log", "log"));
  ASSIGN_OR_RETURN(value, call.Broadcast("Add", {value, highest}));
  if (!reduction.keeps) {
    ASSIGN_OR_RETURN(value.content, call.Squeeze(*value.activation(), reduction.axes));
  }
  return Single(std::move(value));
}

// Where the largest, or least, element is.
Outputs ArgReduction(NodeCall& call, const std::string& kind) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, x->shape.size()));
  ASSIGN_OR_RETURN(const std::int64_t keeps, call.Int("keepdims", 1));
  ASSIGN_OR_RETURN(const std::int64_t takes_last, call.Int("select_last_index", 0));
  const auto [order, id] = NodeCall::AnyForm(*x);
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit("ArgReduce", {id},
                             {{"kind", kind},
                              {"axis", call.AxisIn(order, axis)},
                              {"keep_dims", std::int64_t{1}},
                              {"select_last", std::int64_t{takes_last != 0 ? 1 : 0}}}));
  Operand operand = call.Result(result, order);
  if (keeps == 0) {
    ASSIGN_OR_RETURN(operand.content, call.Squeeze(*operand.activation(), {axis}));
  }
  return Single(std::move(operand));
}
Outputs TranslateArgMax(NodeCall& call) { return ArgReduction(call, "max"); }
Outputs TranslateArgMin(NodeCall& call) { return ArgReduction(call, "min"); }

// The largest, or least, elements of an axis, sorted whether that is asked for or not.
Outputs TranslateTopK(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", -1));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, x->shape.size()));
  ASSIGN_OR_RETURN(const std::int64_t wants_largest, call.Int("largest", 1));
  call.Ignore("sorted");
  std::int64_t k = 0;
  if (call.Has(1)) {
    ASSIGN_OR_RETURN(const auto given, call.Numbers(1, "k"));
    if (given.size() == 1) k = given[0];
  } else {
    ASSIGN_OR_RETURN(k, call.Int("k", 0));
  }
  if (k < 1) return call.Invalid(absl::StrCat("k is ", k));
  Order order = NodeCall::AnyForm(*x).first;
  order.erase(std::find(order.begin(), order.end(), axis));
  order.push_back(axis);
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*x, order));
  ASSIGN_OR_RETURN(
      const std::vector<ValueId> ids,
      call.graph().EmitMany("TopK", call.name(), {id},
                            {{"k", k}, {"least", std::int64_t{wants_largest == 0 ? 1 : 0}}}, 2));
  return std::vector<Operand>{call.Result(ids[0], order), call.Result(ids[1], order)};
}

Outputs TranslateCumSum(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(1, "axis"));
  if (!IsInteger(given.data_type()) || NumElements(given.dims()) != 1) {
    return call.Invalid("its axis is no single integer");
  }
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(Int64Elements(given)[0], x->shape.size()));
  ASSIGN_OR_RETURN(const std::int64_t exclusive, call.Int("exclusive", 0));
  ASSIGN_OR_RETURN(const std::int64_t reverse, call.Int("reverse", 0));
  const auto [order, id] = NodeCall::AnyForm(*x);
  ASSIGN_OR_RETURN(const ValueId result,
                   call.Emit("CumulativeSum", {id},
                             {{"axis", call.AxisIn(order, axis)},
                              {"exclusive", std::int64_t{exclusive != 0 ? 1 : 0}},
                              {"reverse", std::int64_t{reverse != 0 ? 1 : 0}}}));
  return Single(call.Result(result, order));
}

constexpr std::array kOperators = {
    OperatorEntry{"ArgMax", TranslateArgMax},
    OperatorEntry{"ArgMin", TranslateArgMin},
    OperatorEntry{"CumSum", TranslateCumSum},
    OperatorEntry{"ReduceL1", TranslateReduceL1},
    OperatorEntry{"ReduceL2", TranslateReduceL2},
    OperatorEntry{"ReduceLogSum", TranslateReduceLogSum},
    OperatorEntry{"ReduceLogSumExp", TranslateReduceLogSumExp},
    OperatorEntry{"ReduceMax", TranslateReduceMax},
    OperatorEntry{"ReduceMean", TranslateReduceMean},
    OperatorEntry{"ReduceMin", TranslateReduceMin},
    OperatorEntry{"ReduceProd", TranslateReduceProd},
    OperatorEntry{"ReduceSum", TranslateReduceSum},
    OperatorEntry{"ReduceSumSquare", TranslateReduceSumSquare},
    OperatorEntry{"TopK", TranslateTopK},
};

}  // namespace

std::span<const OperatorEntry> ReductionOperators() { return kOperators; }

}  // namespace octet::onnx
