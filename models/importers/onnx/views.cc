// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/views.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/reshape_sizes.h"
#include "models/importers/onnx/tensor_data.h"
#include "models/importers/onnx/view_axes.h"

namespace octet::onnx {

namespace {

using Axes = ViewAxes;

absl::StatusOr<FoldedOutputs> Made(const NodeCall& call, View view) {
  ASSIGN_OR_RETURN(Operand operand, FromView(call, std::move(view)));
  return Single(std::move(operand));
}

// The sizes that a Reshape or Flatten asks for, a 0 that copies replaced; nothing where they are
// not known.
absl::StatusOr<std::optional<std::vector<Dim>>> WantedSizes(NodeCall& call, const Shape& from) {
  std::vector<Dim> wanted;
  if (call.Has(1)) {
    const Operand& shape = call.input(1);
    if (shape.constant() == nullptr && shape.sizes() == nullptr) {
      return std::optional<std::vector<Dim>>();
    }
    if (shape.sizes() != nullptr && !shape.sizes()->products.empty()) {
      // What is left when the others are known.
      wanted = shape.sizes()->elements;
      for (const auto& [at, factors] : shape.sizes()->products) wanted[at] = Dim(-1);
    } else {
      ASSIGN_OR_RETURN(wanted, call.SizesOf(1, "shape"));
    }
  } else {
    ASSIGN_OR_RETURN(const auto given, call.Ints("shape"));
    wanted.assign(given.begin(), given.end());
  }
  ASSIGN_OR_RETURN(const std::int64_t allows_zero, call.Int("allowzero", 0));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == Dim(0) && allows_zero == 0 && i < from.size()) wanted[i] = from[i];
  }
  if (!wanted.empty()) wanted[0] = call.FirstSize(from, wanted[0]);
  if (std::count(wanted.begin(), wanted.end(), Dim(-1)) > 1) {
    return call.Invalid("its shape has two dimensions of -1");
  }
  return std::optional(std::move(wanted));
}

// A reshape that cuts axes besides putting some together.
absl::StatusOr<FoldedOutputs> FoldCuttingReshape(NodeCall& call, const View& view,
                                                 const std::vector<Dim>& wanted) {
  const bool was_view = call.input(0).view() != nullptr;
  Shape from;
  for (const Axes& axes : view.groups) {
    for (const std::size_t axis : axes) from.push_back(view.source->shape[axis]);
  }
  const absl::StatusOr<Shape> sizes = ResolvedShape(call, from, wanted, false);
  if (!sizes.ok())
    return was_view ? absl::StatusOr<FoldedOutputs>(sizes.status()) : FoldedOutputs();
  const bool has_rows = std::find(from.begin(), from.end(), Dim(kRows)) != from.end();
  const bool is_tensor = call.lead() == 1 || !has_rows ||
                         std::find(sizes->begin(), sizes->end(), Dim(kRows)) != sizes->end();
  if (!was_view && is_tensor) return FoldedOutputs();
  ASSIGN_OR_RETURN(std::optional<View> refined, Refined(call, view, *sizes));
  if (refined.has_value()) return Made(call, *std::move(refined));
  if (was_view) return call.Unimplemented("cuts an axis that the batch is part of");
  return FoldedOutputs();
}

absl::StatusOr<FoldedOutputs> FoldReshape(NodeCall& call) {
  const std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return FoldedOutputs();
  ASSIGN_OR_RETURN(const auto wanted, WantedSizes(call, call.input(0).shape()));
  if (!wanted.has_value()) return FoldedOutputs();
  auto groups = Grouped(*view, *wanted);
  const bool was_view = call.input(0).view() != nullptr;
  if (!groups.has_value()) return FoldCuttingReshape(call, *view, *wanted);
  View result{view->source, *std::move(groups)};
  if (!was_view && !IsNoTensor(call, result)) return FoldedOutputs();
  return Made(call, std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldFlatten(NodeCall& call) {
  std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return FoldedOutputs();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  const auto rank = static_cast<std::int64_t>(view->groups.size());
  if (raw_axis < -rank || raw_axis > rank) return call.Invalid("its axis is out of range");
  const auto axis = static_cast<std::size_t>(raw_axis < 0 ? raw_axis + rank : raw_axis);
  std::vector<Axes> groups(2);
  for (std::size_t i = 0; i < view->groups.size(); ++i) {
    Axes& group = groups[i < axis ? 0 : 1];
    group.insert(group.end(), view->groups[i].begin(), view->groups[i].end());
  }
  View result{view->source, std::move(groups)};
  if (call.input(0).view() == nullptr && !IsNoTensor(call, result)) return FoldedOutputs();
  return Made(call, std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldTranspose(NodeCall& call, const View& view) {
  ASSIGN_OR_RETURN(const Order permutation, PermutationOf(call, view.groups.size()));
  View result{view.source, {}};
  for (const std::size_t axis : permutation) result.groups.push_back(view.groups[axis]);
  return Made(call, std::move(result));
}

absl::StatusOr<FoldedOutputs> FoldUnsqueeze(NodeCall& call, View view) {
  ASSIGN_OR_RETURN(const auto axes, UnsqueezeAxes(call, view.groups.size()));
  for (const std::size_t axis : axes) {
    view.groups.insert(view.groups.begin() + static_cast<std::ptrdiff_t>(axis), Axes());
  }
  return Made(call, std::move(view));
}

// Whether positions visit each element of `axes` of `source` once, as those lie within each other:
// then `seen[i]` is the one that axis i of the positions visits.
bool VisitsInOrder(const Shape& source, const Axes& axes, const Places& places, Axes& seen,
                   std::size_t none) {
  if (places.first != 0) return false;
  Dim stride(1);
  std::size_t found = 0;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const Dim& size = source[axes[i]];
    std::size_t match = places.shape.size();
    for (std::size_t k = 0; k < places.shape.size() && match == places.shape.size(); ++k) {
      if (places.steps[k] == stride && places.shape[k] == size && seen[k] == none) match = k;
    }
    if (match == places.shape.size()) return false;
    seen[match] = axes[i];
    ++found;
    if (i == 0) break;
    const auto next = Dim::Product(stride, size);
    if (!next.ok()) return false;
    stride = *next;
  }
  const auto counted = static_cast<std::size_t>(std::count_if(
      places.steps.begin(), places.steps.end(), [](const Dim& step) { return step != Dim(0); }));
  return found == axes.size() && counted == found;
}

// The view whose first axes are those of positions that visit all of `visited`, by column.
std::optional<View> Visited(const View& view, const std::vector<std::size_t>& visited,
                            const std::vector<const Places*>& columns) {
  const std::size_t none = view.source->shape.size();
  Axes seen(columns[0]->shape.size(), none);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!VisitsInOrder(view.source->shape, view.groups[visited[i]], *columns[i], seen, none)) {
      return std::nullopt;
    }
  }
  View result{view.source, {}};
  for (std::size_t k = 0; k < seen.size(); ++k) {
    if (seen[k] == none && columns[0]->shape[k] != Dim(1)) return std::nullopt;
    result.groups.push_back(seen[k] == none ? Axes() : Axes{seen[k]});
  }
  return result;
}

// Elements of an axis at positions that are all there are.
absl::StatusOr<FoldedOutputs> FoldGather(NodeCall& call) {
  if (call.num_inputs() != 2 || call.input(1).places() == nullptr) return FoldedOutputs();
  const std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return FoldedOutputs();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, view->groups.size()));
  std::optional<View> visited = Visited(*view, {axis}, {call.input(1).places()});
  if (!visited.has_value()) return FoldedOutputs();
  std::vector<Axes>& groups = visited->groups;
  groups.insert(groups.begin(), view->groups.begin(),
                view->groups.begin() + static_cast<std::ptrdiff_t>(axis));
  groups.insert(groups.end(), view->groups.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                view->groups.end());
  return Made(call, *std::move(visited));
}

absl::StatusOr<FoldedOutputs> FoldGatherNd(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const auto* const coordinates = std::get_if<Coordinates>(&call.input(1).content);
  const std::optional<View> view = AsView(call.input(0));
  ASSIGN_OR_RETURN(const std::int64_t batch_dims, call.Int("batch_dims", 0));
  if (coordinates == nullptr || !view.has_value() || batch_dims != 0) return FoldedOutputs();
  const std::size_t count = coordinates->columns.size();
  if (count > view->groups.size()) return call.Invalid("has more coordinates than axes");
  Axes axes;
  std::vector<const Places*> columns;
  for (std::size_t i = 0; i < count; ++i) {
    axes.push_back(i);
    columns.push_back(&coordinates->columns[i]);
  }
  std::optional<View> visited = Visited(*view, axes, columns);
  if (!visited.has_value()) return FoldedOutputs();
  visited->groups.insert(visited->groups.end(),
                         view->groups.begin() + static_cast<std::ptrdiff_t>(count),
                         view->groups.end());
  return Made(call, *std::move(visited));
}

// An operator that computes each element for itself, perhaps with one number.
absl::StatusOr<FoldedOutputs> FoldWithNumbers(NodeCall& call) {
  std::vector<Operand> operands;
  std::optional<View> view;
  std::size_t rank = 0;  // of the view
  for (const Operand& operand : call.inputs()) {
    if (operand.view() != nullptr) rank = operand.view()->groups.size();
  }
  for (const Operand& operand : call.inputs()) {
    const ConstantTensor* const constant = operand.constant();
    if (operand.view() != nullptr && !view.has_value()) {
      view = *operand.view();
      operands.push_back({operand.name, view->source});
    } else if (constant != nullptr && NumElements(constant->dims()) == 1 &&
               constant->dims().size() <= rank) {
      operands.push_back(
          {operand.name, ConstantTensor::Copy(constant->data_type(), {1}, constant->bytes())});
    } else {
      return FoldedOutputs();
    }
  }
  ASSIGN_OR_RETURN(const auto results, call.AsItself(operands, call.node().attributes));
  const auto* const held = std::get_if<std::shared_ptr<Activation>>(&results.at(0).content);
  if (held == nullptr) return call.Unimplemented("a result that is no value");
  view->source = *held;
  return Made(call, *std::move(view));
}

// Views that are tensors after all: as these.
absl::StatusOr<FoldedOutputs> FoldOfTensors(NodeCall& call) {
  std::vector<Operand> operands = call.inputs();
  for (Operand& operand : operands) {
    const View* const view = operand.view();
    if (view == nullptr) continue;
    if (IsNoTensor(call, *view)) return FoldedOutputs();
    ASSIGN_OR_RETURN(TakenApart whole, Apart(call, *view));
    operand.content = std::move(whole.activation);
  }
  ASSIGN_OR_RETURN(auto results, call.AsItself(operands, call.node().attributes));
  return FoldedOutputs(std::move(results));
}

// --- Operators that know nothing of the axis that the batch is part of: over its parts.

// The attribute for `axis` of a view as it is in `apart`.
absl::StatusOr<AttributeProto> AxisOverParts(const NodeCall& call, std::size_t axis,
                                             const TakenApart& apart) {
  if (axis == apart.first) return call.Unimplemented("over an axis that the batch is part of");
  const std::size_t moved = axis > apart.first ? axis + apart.count - 1 : axis;
  return IntAttributeOf("axis", static_cast<std::int64_t>(moved));
}

// A constant that is stretched to a view of `rank` axes, with ones for the parts of the axis that
// is taken apart. Nothing where it says something of that one.
std::optional<ConstantTensor> OverParts(const ConstantTensor& constant, std::size_t rank,
                                        const TakenApart& apart) {
  Dims dims = constant.dims();
  const std::size_t behind = rank - apart.first;  // axes, that one included
  if (dims.size() < behind) return constant;
  const auto place = dims.end() - static_cast<std::ptrdiff_t>(behind);
  if (dims.size() > rank || *place != 1) return std::nullopt;
  dims.insert(place, apart.count - 1, 1);
  return WithDims(constant, std::move(dims));
}

// Whether a node of `op` gives the same for each part of an axis that it is not told to compute
// along.
bool IsAnyParts(const std::string& op) {
  constexpr std::array<absl::string_view, 5> kOps = {"Concat", "LayerNormalization", "LogSoftmax",
                                                     "Softmax", "Split"};
  return IsElementwise(op) || std::find(kOps.begin(), kOps.end(), op) != kOps.end();
}

// What `results`, computed of parts, are with these together again.
absl::StatusOr<FoldedOutputs> Together(const NodeCall& call, const std::vector<Operand>& results,
                                       std::size_t first, std::size_t count) {
  std::vector<Operand> outputs;
  for (const Operand& result : results) {
    const std::optional<View> view = AsView(result);
    if (!view.has_value()) return call.Unimplemented("a result that is no value");
    ASSIGN_OR_RETURN(Operand output, FromView(call, WithTogether(*view, first, count)));
    outputs.push_back(std::move(output));
  }
  return FoldedOutputs(std::move(outputs));
}

// The node's attributes over `apart` in place of a view of `rank` axes, with the axis that it
// computes along where it names none.
absl::StatusOr<std::vector<AttributeProto>> AttributesOverParts(const NodeCall& call,
                                                                std::size_t rank,
                                                                const TakenApart& apart) {
  std::vector<AttributeProto> attributes = call.node().attributes;
  const std::string& op = call.node().op_type;
  if (IsElementwise(op)) return attributes;
  // Until opset 12 a softmax was over all axes from that one on.
  const bool is_of_all = call.opset() < 13 && (op == "Softmax" || op == "LogSoftmax");
  if (!call.HasAttribute("axis")) {
    attributes.push_back(IntAttributeOf("axis", op == "Split" ? 0 : is_of_all ? 1 : -1));
  }
  for (AttributeProto& attribute : attributes) {
    if (attribute.name != "axis") continue;
    ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(attribute.i, rank));
    if (is_of_all && axis + 1 != rank) return call.Unimplemented("over more than the last axis");
    ASSIGN_OR_RETURN(attribute, AxisOverParts(call, axis, apart));
  }
  return attributes;
}

// Whether `shape` has the axes of `apart` that are parts of one.
bool HasParts(const Shape& shape, const TakenApart& apart) {
  const Shape& whole = apart.activation->shape;
  const auto first = static_cast<std::ptrdiff_t>(apart.first);
  const auto last = first + static_cast<std::ptrdiff_t>(apart.count);
  return shape.size() == whole.size() &&
         std::equal(whole.begin() + first, whole.begin() + last, shape.begin() + first);
}

// Puts what `operands` are over the parts of an axis of a view of `rank` axes in their places.
// Returns that view, taken apart: the others fit it. Precondition: one of them is a view.
absl::StatusOr<TakenApart> TakeApart(const NodeCall& call, std::size_t rank,
                                     std::vector<Operand>& operands) {
  std::optional<TakenApart> apart;
  for (Operand& operand : operands) {
    const View* const view = operand.view();
    if (view == nullptr) continue;
    ASSIGN_OR_RETURN(TakenApart taken, Apart(call, *view));
    const bool is_same =
        !apart.has_value() || (taken.first == apart->first && taken.count == apart->count);
    if (!is_same || view->groups.size() != rank) {
      return call.Unimplemented("computes with tensors that the batch is unlike parts of");
    }
    operand.content = taken.activation;
    apart = std::move(taken);
  }
  for (Operand& operand : operands) {
    if (operand.is_absent()) continue;
    std::optional<ConstantTensor> over;
    if (operand.constant() != nullptr) over = OverParts(*operand.constant(), rank, *apart);
    if (over.has_value()) {
      operand.content = *std::move(over);
    } else if (operand.activation() == nullptr || !HasParts(operand.activation()->shape, *apart)) {
      return call.Unimplemented("computes with a tensor that the batch is part of an axis of");
    }
  }
  return *std::move(apart);
}

absl::StatusOr<FoldedOutputs> FoldOverParts(NodeCall& call) {
  std::size_t rank = 0;
  for (const Operand& operand : call.inputs()) {
    rank = std::max(rank, operand.is_absent() ? 0 : operand.rank());
  }
  std::vector<Operand> operands = call.inputs();
  ASSIGN_OR_RETURN(const TakenApart apart, TakeApart(call, rank, operands));
  ASSIGN_OR_RETURN(const auto attributes, AttributesOverParts(call, rank, apart));
  ASSIGN_OR_RETURN(const auto results, call.AsItself(operands, attributes));
  return Together(call, results, apart.first, apart.count);
}

// A fully connected layer, as Gemm.
absl::StatusOr<FoldedOutputs> FoldGemm(NodeCall& call, const View& view) {
  RETURN_IF_ERROR(call.CheckInputs(2, 3));
  ASSIGN_OR_RETURN(const float alpha, call.Float("alpha", 1));
  ASSIGN_OR_RETURN(const float beta, call.Float("beta", 1));
  ASSIGN_OR_RETURN(const std::int64_t turns_a, call.Int("transA", 0));
  ASSIGN_OR_RETURN(const std::int64_t turns_b, call.Int("transB", 0));
  const bool has_addend = call.Has(2) && beta != 0;
  ASSIGN_OR_RETURN(const TakenApart apart, Apart(call, view));
  if (apart.first != 0 || alpha != 1 || (has_addend && beta != 1) || turns_a != 0 ||
      call.input(1).constant() == nullptr) {
    return call.Unimplemented("a product with a tensor that the batch is part of an axis of");
  }
  ASSIGN_OR_RETURN(const ConstantTensor weights, call.FloatConstant(1, "B"));
  if (weights.dims().size() != 2) return call.Invalid("weights that are no matrix");
  const Operand matrix = {call.input(1).name,
                          turns_b != 0 ? TransposeConstant(weights, {1, 0}) : weights};
  ASSIGN_OR_RETURN(auto results, call.As("MatMul", {{"", apart.activation}, matrix}, {}, ""));
  if (has_addend) {
    ASSIGN_OR_RETURN(results, call.As("Add", {results.at(0), call.input(2)}, {}, "bias"));
  }
  return Together(call, results, apart.first, apart.count);
}

// With a matrix, or as many products as two views have in front of their last two axes.
absl::StatusOr<FoldedOutputs> FoldMatMul(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const auto refused = [&call] {
    return call.Unimplemented("a product with a tensor that the batch is part of an axis of");
  };
  if (call.input(0).view() == nullptr) return refused();
  ASSIGN_OR_RETURN(const TakenApart a, Apart(call, *call.input(0).view()));
  if (a.first + 2 > call.input(0).rank()) return refused();
  std::vector<Operand> operands = {{call.input(0).name, a.activation}, call.input(1)};
  const ConstantTensor* const matrix = call.input(1).constant();
  const View* const view = call.input(1).view();
  if (view != nullptr) {
    ASSIGN_OR_RETURN(const TakenApart b, Apart(call, *view));
    const auto leads = [](const TakenApart& apart) {
      const Shape& shape = apart.activation->shape;
      return Shape(shape.begin(), shape.end() - 2);
    };
    if (b.first != a.first || b.first + 3 > view->groups.size() || leads(a) != leads(b)) {
      return refused();
    }
    operands[1].content = b.activation;
  } else if (matrix == nullptr || matrix->dims().size() != 2) {
    return refused();
  }
  ASSIGN_OR_RETURN(const auto results, call.AsItself(operands, {}));
  return Together(call, results, a.first, a.count);
}

// One index, or some, of an axis that the batch is no part of.
absl::StatusOr<FoldedOutputs> FoldConstantGather(NodeCall& call, const View& view) {
  const ConstantTensor& indices = *call.input(1).constant();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, view.groups.size()));
  ASSIGN_OR_RETURN(const TakenApart apart, Apart(call, view));
  ASSIGN_OR_RETURN(const AttributeProto attribute, AxisOverParts(call, axis, apart));
  ASSIGN_OR_RETURN(const auto results,
                   call.AsItself({{"", apart.activation}, call.input(1)}, {attribute}));
  const std::size_t first =
      axis < apart.first ? apart.first + indices.dims().size() - 1 : apart.first;
  return Together(call, results, first, apart.count);
}

// Operators that compute with elements of views.
absl::StatusOr<FoldedOutputs> FoldComputing(NodeCall& call) {
  const std::string& op = call.node().op_type;
  ASSIGN_OR_RETURN(FoldedOutputs outputs, FoldOfTensors(call));
  if (outputs.has_value()) return outputs;
  if (IsElementwise(op)) {
    ASSIGN_OR_RETURN(outputs, FoldWithNumbers(call));
    if (outputs.has_value()) return outputs;
  }
  if (op == "MatMul") return FoldMatMul(call);
  const View* const view = call.input(0).view();
  if (op == "Gemm" && view != nullptr) return FoldGemm(call, *view);
  if (IsAnyParts(op)) return FoldOverParts(call);
  return call.Unimplemented("takes a tensor that the batch is part of an axis of");
}

}  // namespace

absl::StatusOr<FoldedOutputs> FoldView(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (call.num_inputs() == 0 || call.input(0).is_absent()) return FoldedOutputs();
  const View* const view = call.input(0).view();
  if (op == "Gather") {
    const bool is_constant = call.num_inputs() == 2 && call.input(1).constant() != nullptr;
    return view != nullptr && is_constant ? FoldConstantGather(call, *view) : FoldGather(call);
  }
  if (op == "GatherND") return FoldGatherNd(call);
  if (op == "Reshape") return FoldReshape(call);
  if (op == "Flatten") return FoldFlatten(call);
  const auto is_view = [](const Operand& operand) { return operand.view() != nullptr; };
  if (std::none_of(call.inputs().begin(), call.inputs().end(), is_view)) return FoldedOutputs();
  if (op == "Identity") return Single(call.input(0));
  if (op == "Shape" || op == "Size") return FoldedOutputs();
  if (op == "Transpose" && view != nullptr) return FoldTranspose(call, *view);
  if (op == "Unsqueeze" && view != nullptr) return FoldUnsqueeze(call, *view);
  return FoldComputing(call);
}

}  // namespace octet::onnx
