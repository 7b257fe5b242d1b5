// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/per_row_tensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/open_tensors.h"
#include "models/importers/onnx/operator_list.h"

namespace octet::onnx {

namespace {

bool IsValue(const Operand& operand) {
  return operand.activation() != nullptr || operand.stretched() != nullptr;
}

// Whether the node computes, of positions alone, what has no axis that could be the batch.
bool MakesPerRow(const NodeCall& call) {
  if (call.lead() != 0 || !IsElementwise(call.node().op_type)) return false;
  std::size_t rank = 0;
  for (const Operand& operand : call.inputs()) {
    if (operand.is_absent() || IsValue(operand)) return false;
    rank = std::max(rank, operand.rank());
  }
  return std::any_of(call.inputs().begin(), call.inputs().end(), [&](const Operand& operand) {
    return operand.places() != nullptr && !HasRoomForRows(call, operand.shape(), rank);
  });
}

// A value with the batch in front of the axes of `per_row`.
Operand WithRows(const PerRow& per_row) {
  Shape shape = per_row.shape;
  shape.insert(shape.begin(), Dim(kRows));
  if (shape == per_row.content->shape) return {"", per_row.content};
  return {"", Stretched{per_row.content, std::move(shape)}};
}

absl::StatusOr<PerRow> WithoutRows(const NodeCall& call, const Operand& value) {
  PerRow result;
  if (const Stretched* const stretched = value.stretched()) {
    result = {stretched->content, stretched->shape};
  } else if (const auto* const held = std::get_if<std::shared_ptr<Activation>>(&value.content)) {
    result = {*held, (*held)->shape};
  } else {
    return call.Unimplemented("a result that is no value");
  }
  result.shape.erase(result.shape.begin());
  return result;
}

// `operand` as one of `rank` axes behind the batch.
absl::StatusOr<Operand> BehindRows(const NodeCall& call, const Operand& operand, std::size_t rank) {
  if (const Filled* const filled = operand.filled()) {
    if (NumElements(filled->value.dims()) == 1) {
      return Operand{operand.name, WithDims(filled->value, {1})};
    }
  }
  if (const Places* const places = operand.places()) return ValueOf(call, *places, rank + 1);
  if (const PerRow* const per_row = operand.per_row()) {
    PerRow wide = *per_row;
    const std::size_t missing = rank - wide.shape.size();
    Order added = PlainOrder(missing);
    for (std::size_t& axis : added) ++axis;
    ASSIGN_OR_RETURN(wide.content, call.Unsqueeze(*wide.content, added));
    wide.shape.insert(wide.shape.begin(), missing, Dim(1));
    return WithRows(wide);
  }
  if (operand.constant() != nullptr || IsValue(operand)) return operand;
  return call.Unimplemented("computes with sizes and with positions of two axes");
}

absl::StatusOr<FoldedOutputs> FoldElements(NodeCall& call) {
  std::size_t rank = 0;
  bool has_value = false;
  for (const Operand& operand : call.inputs()) {
    if (operand.is_absent()) return call.Invalid("an input is absent");
    // A value has the batch among its axes.
    const std::size_t behind = IsValue(operand) ? operand.rank() - 1 : operand.rank();
    has_value = has_value || IsValue(operand);
    rank = std::max(rank, behind);
  }
  std::vector<Operand> operands;
  for (const Operand& operand : call.inputs()) {
    if (IsValue(operand) && operand.rank() != rank + 1) {
      return call.Unimplemented("stretches the batch along positions");
    }
    ASSIGN_OR_RETURN(Operand behind, BehindRows(call, operand, rank));
    behind.name = operand.name;
    operands.push_back(std::move(behind));
  }
  ASSIGN_OR_RETURN(auto results, call.AsItself(operands, call.node().attributes));
  if (has_value) return FoldedOutputs(std::move(results));
  ASSIGN_OR_RETURN(PerRow result, WithoutRows(call, results.at(0)));
  return Single({"", std::move(result)});
}

// Rows of a table.
absl::StatusOr<FoldedOutputs> FoldGather(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const std::int64_t axis, call.Int("axis", 0));
  const PerRow* const indices = call.input(1).per_row();
  if (axis != 0 || indices == nullptr || call.input(0).constant() == nullptr) {
    return call.Unimplemented("a lookup that each row makes for itself, of what is no table");
  }
  ASSIGN_OR_RETURN(const auto results,
                   call.AsItself({call.input(0), WithRows(*indices)}, call.node().attributes));
  ASSIGN_OR_RETURN(PerRow result, WithoutRows(call, results.at(0)));
  return Single({"", std::move(result)});
}

absl::StatusOr<FoldedOutputs> FoldTranspose(NodeCall& call, const PerRow& x) {
  ASSIGN_OR_RETURN(const Order permutation, PermutationOf(call, x.shape.size()));
  std::vector<std::int64_t> behind_rows = {0};
  PerRow result;
  for (const std::size_t axis : permutation) {
    behind_rows.push_back(static_cast<std::int64_t>(axis) + 1);
    result.shape.push_back(x.shape[axis]);
  }
  ASSIGN_OR_RETURN(const auto results,
                   call.AsItself({{"", x.content}}, {IntsAttributeOf("perm", behind_rows)}));
  result.content = std::get<std::shared_ptr<Activation>>(results.at(0).content);
  return Single({"", std::move(result)});
}

// A new axis in front is where the batch is: from there on it is a value like others.
absl::StatusOr<FoldedOutputs> FoldUnsqueeze(NodeCall& call, const PerRow& x) {
  ASSIGN_OR_RETURN(std::vector<std::size_t> axes, UnsqueezeAxes(call, x.shape.size()));
  std::sort(axes.begin(), axes.end());
  PerRow result = x;
  for (const std::size_t axis : axes) {
    result.shape.insert(result.shape.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
  }
  const bool has_front = axes.front() == 0;
  if (has_front) {
    axes.erase(axes.begin());
    result.shape.erase(result.shape.begin());
  } else {
    for (std::size_t& axis : axes) ++axis;
  }
  ASSIGN_OR_RETURN(result.content, call.Unsqueeze(*x.content, axes));
  return Single(has_front ? WithRows(result) : Operand{"", std::move(result)});
}

}  // namespace

absl::StatusOr<FoldedOutputs> FoldPerRow(NodeCall& call) {
  const std::string& op = call.node().op_type;
  const bool takes = std::any_of(call.inputs().begin(), call.inputs().end(),
                                 [](const Operand& o) { return o.per_row() != nullptr; });
  if (!takes) return MakesPerRow(call) ? FoldElements(call) : FoldedOutputs();
  const PerRow* const x = call.input(0).per_row();
  if (op == "Shape" || op == "Size") return FoldedOutputs();
  if (op == "Identity") return Single(call.input(0));
  if (op == "Gather") return FoldGather(call);
  if (op == "Transpose" && x != nullptr) return FoldTranspose(call, *x);
  if (op == "Unsqueeze" && x != nullptr) return FoldUnsqueeze(call, *x);
  if (IsElementwise(op)) return FoldElements(call);
  return call.Unimplemented("takes what each row computes of positions for itself");
}

}  // namespace octet::onnx
