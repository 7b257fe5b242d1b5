// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/views.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"

namespace octet::onnx {

namespace {

using Outputs = std::optional<std::vector<Operand>>;
using Axes = std::vector<std::size_t>;

constexpr std::size_t kMaxRank = 8;

Outputs One(Operand operand) {
  std::vector<Operand> outputs;
  outputs.push_back(std::move(operand));
  return outputs;
}

// `operand`, an activation or a view, as a view.
std::optional<View> AsView(const Operand& operand) {
  if (const View* const view = operand.view()) return *view;
  const auto* const held = std::get_if<std::shared_ptr<Activation>>(&operand.content);
  if (held == nullptr) return std::nullopt;
  View view{*held, {}};
  for (std::size_t axis = 0; axis < (*held)->shape.size(); ++axis) view.groups.push_back({axis});
  return view;
}

// `view` without the axes of 1 that are in a group with others.
absl::StatusOr<View> WithoutOnes(const NodeCall& call, const View& view) {
  Axes ones;
  for (const Axes& axes : view.groups) {
    for (const std::size_t axis : axes) {
      if (axes.size() > 1 && view.source->shape[axis] == Dim(1)) ones.push_back(axis);
    }
  }
  if (ones.empty()) return view;
  std::sort(ones.begin(), ones.end());
  View result;
  ASSIGN_OR_RETURN(result.source, call.Squeeze(*view.source, ones));
  for (const Axes& axes : view.groups) {
    Axes& left = result.groups.emplace_back();
    for (const std::size_t axis : axes) {
      const auto gone = std::lower_bound(ones.begin(), ones.end(), axis);
      if (gone != ones.end() && *gone == axis) continue;
      left.push_back(axis - static_cast<std::size_t>(gone - ones.begin()));
    }
  }
  return result;
}

// `view` as an activation, where each of its axes is one of it or new; else as it is.
absl::StatusOr<Operand> FromView(const NodeCall& call, View view) {
  ASSIGN_OR_RETURN(view, WithoutOnes(call, view));
  if (view.groups.size() + call.lead() > kMaxRank) {
    return call.Unimplemented("a tensor of more than 8 dimensions");
  }
  Axes added;
  Axes place(view.source->shape.size(), 0);  // of each axis of the source, new ones left out
  std::size_t next = 0;
  for (std::size_t i = 0; i < view.groups.size(); ++i) {
    if (view.groups[i].size() > 1) return Operand{"", std::move(view)};
    if (view.groups[i].empty()) {
      added.push_back(i);
    } else {
      place[view.groups[i][0]] = next++;
    }
  }
  auto moved = std::make_shared<Activation>();
  moved->type = view.source->type;
  moved->shape.assign(place.size(), Dim(1));
  for (std::size_t axis = 0; axis < place.size(); ++axis) {
    moved->shape[place[axis]] = view.source->shape[axis];
  }
  for (const auto& [order, id] : view.source->forms) {
    Order renamed;
    for (const std::size_t axis : order) renamed.push_back(place[axis]);
    moved->forms[renamed] = id;
  }
  if (added.empty()) return Operand{"", std::move(moved)};
  ASSIGN_OR_RETURN(auto result, call.Unsqueeze(*moved, added));
  return Operand{"", std::move(result)};
}

absl::StatusOr<Outputs> Made(const NodeCall& call, View view) {
  ASSIGN_OR_RETURN(Operand operand, FromView(call, std::move(view)));
  return One(std::move(operand));
}

// Takes axes from one end of a list until they are as large as `size` together.
class AxisQueue {
 public:
  AxisQueue(const Shape& shape, Axes axes) : shape_(shape), axes_(std::move(axes)) {}

  std::optional<Axes> TakeFront(const Dim& size) { return Take(size, true); }
  std::optional<Axes> TakeBack(const Dim& size) { return Take(size, false); }
  [[nodiscard]] Axes Rest() const { return axes_; }

 private:
  std::optional<Axes> Take(const Dim& size, bool is_front) {
    Axes taken;
    Dim product(1);
    while (product != size || (taken.empty() && !axes_.empty() && shape_[End(is_front)] == size)) {
      if (axes_.empty()) return std::nullopt;
      const std::size_t axis = End(is_front);
      const auto next = Dim::Product(product, shape_[axis]);
      if (!next.ok()) return std::nullopt;
      product = *next;
      taken.insert(is_front ? taken.end() : taken.begin(), axis);
      axes_.erase(is_front ? axes_.begin() : axes_.end() - 1);
    }
    return taken;
  }
  [[nodiscard]] std::size_t End(bool is_front) const {
    return is_front ? axes_.front() : axes_.back();
  }

  const Shape& shape_;
  Axes axes_;
};

// The axes of `view`, one behind the other, in groups of the sizes `wanted`, of which one may be
// -1. Nothing where an axis would have to be cut.
std::optional<std::vector<Axes>> Grouped(const View& view, const std::vector<Dim>& wanted) {
  Axes all;
  for (const Axes& axes : view.groups) all.insert(all.end(), axes.begin(), axes.end());
  AxisQueue queue(view.source->shape, std::move(all));
  std::vector<Axes> groups(wanted.size());
  const auto guess =
      static_cast<std::size_t>(std::find(wanted.begin(), wanted.end(), Dim(-1)) - wanted.begin());
  for (std::size_t i = 0; i < guess; ++i) {
    auto axes = queue.TakeFront(wanted[i]);
    if (!axes.has_value()) return std::nullopt;
    groups[i] = *std::move(axes);
  }
  for (std::size_t i = wanted.size(); i-- > guess + 1;) {
    auto axes = queue.TakeBack(wanted[i]);
    if (!axes.has_value()) return std::nullopt;
    groups[i] = *std::move(axes);
  }
  Axes rest = queue.Rest();
  if (guess < wanted.size()) {
    groups[guess] = std::move(rest);
    return groups;
  }
  // Ones may be left over.
  for (const std::size_t axis : rest) {
    if (view.source->shape[axis] != Dim(1) || groups.empty()) return std::nullopt;
    groups.back().push_back(axis);
  }
  return groups;
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
    ASSIGN_OR_RETURN(wanted, call.SizesOf(1, "shape"));
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

// Whether a tensor cannot be one of the graph: an axis of it has a size that cannot be written, or
// the batch is part of it.
bool IsNoTensor(const NodeCall& call, const View& view) {
  return std::any_of(view.groups.begin(), view.groups.end(), [&](const Axes& axes) {
    const bool has_rows = std::any_of(axes.begin(), axes.end(), [&view](std::size_t axis) {
      return view.source->shape[axis] == Dim(kRows);
    });
    return axes.size() > 1 &&
           ((call.lead() == 0 && has_rows) || !ProductOf(view.source->shape, axes).ok());
  });
}

absl::StatusOr<Outputs> FoldReshape(NodeCall& call) {
  const std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return Outputs();
  ASSIGN_OR_RETURN(const auto wanted, WantedSizes(call, call.input(0).shape()));
  if (!wanted.has_value()) return Outputs();
  auto groups = Grouped(*view, *wanted);
  const bool was_view = call.input(0).view() != nullptr;
  if (!groups.has_value()) {
    if (was_view) return call.Unimplemented("cuts an axis that the batch is part of");
    return Outputs();
  }
  View result{view->source, *std::move(groups)};
  if (!was_view && !IsNoTensor(call, result)) return Outputs();
  return Made(call, std::move(result));
}

absl::StatusOr<Outputs> FoldFlatten(NodeCall& call) {
  std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return Outputs();
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
  if (call.input(0).view() == nullptr && !IsNoTensor(call, result)) return Outputs();
  return Made(call, std::move(result));
}

absl::StatusOr<Outputs> FoldTranspose(NodeCall& call, const View& view) {
  const std::size_t rank = view.groups.size();
  std::vector<std::int64_t> fallback;
  for (std::size_t i = rank; i-- > 0;) fallback.push_back(static_cast<std::int64_t>(i));
  ASSIGN_OR_RETURN(const auto permutation, call.Ints("perm", fallback));
  ASSIGN_OR_RETURN(const auto sorted, call.Axes(permutation, rank));
  if (sorted.size() != rank) return call.Invalid("its permutation has not every axis");
  View result{view.source, {}};
  for (const std::int64_t axis : permutation) {
    ASSIGN_OR_RETURN(const std::size_t from, call.Axis(axis, rank));
    result.groups.push_back(view.groups[from]);
  }
  return Made(call, std::move(result));
}

absl::StatusOr<Outputs> FoldUnsqueeze(NodeCall& call, View view) {
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
absl::StatusOr<Outputs> FoldGather(NodeCall& call) {
  if (call.num_inputs() != 2 || call.input(1).places() == nullptr) return Outputs();
  const std::optional<View> view = AsView(call.input(0));
  if (!view.has_value()) return Outputs();
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, view->groups.size()));
  std::optional<View> visited = Visited(*view, {axis}, {call.input(1).places()});
  if (!visited.has_value()) return Outputs();
  std::vector<Axes>& groups = visited->groups;
  groups.insert(groups.begin(), view->groups.begin(),
                view->groups.begin() + static_cast<std::ptrdiff_t>(axis));
  groups.insert(groups.end(), view->groups.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                view->groups.end());
  return Made(call, *std::move(visited));
}

absl::StatusOr<Outputs> FoldGatherNd(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  const auto* const coordinates = std::get_if<Coordinates>(&call.input(1).content);
  const std::optional<View> view = AsView(call.input(0));
  ASSIGN_OR_RETURN(const std::int64_t batch_dims, call.Int("batch_dims", 0));
  if (coordinates == nullptr || !view.has_value() || batch_dims != 0) return Outputs();
  const std::size_t count = coordinates->columns.size();
  if (count > view->groups.size()) return call.Invalid("has more coordinates than axes");
  Axes axes;
  std::vector<const Places*> columns;
  for (std::size_t i = 0; i < count; ++i) {
    axes.push_back(i);
    columns.push_back(&coordinates->columns[i]);
  }
  std::optional<View> visited = Visited(*view, axes, columns);
  if (!visited.has_value()) return Outputs();
  visited->groups.insert(visited->groups.end(),
                         view->groups.begin() + static_cast<std::ptrdiff_t>(count),
                         view->groups.end());
  return Made(call, *std::move(visited));
}

// A product of as many matrices as two views have in their first axis.
absl::StatusOr<Outputs> FoldMatMul(NodeCall& call) {
  if (call.num_inputs() != 2 || call.input(0).rank() != 3 || call.input(1).rank() != 3) {
    return call.Unimplemented("a product with a tensor that the batch is part of an axis of");
  }
  std::vector<Operand> operands;
  std::vector<Shape> leading;
  for (const Operand& operand : call.inputs()) {
    std::optional<View> view = AsView(operand);
    if (!view.has_value() || view->groups[1].size() > 1 || view->groups[2].size() > 1) {
      return call.Unimplemented("a product with a tensor that the batch is part of an axis of");
    }
    const Axes first = view->groups[0];
    Shape sizes;
    for (const std::size_t axis : first) sizes.push_back(view->source->shape[axis]);
    leading.push_back(std::move(sizes));
    view->groups.erase(view->groups.begin());
    for (std::size_t i = 0; i < first.size(); ++i) {
      view->groups.insert(view->groups.begin() + static_cast<std::ptrdiff_t>(i), Axes{first[i]});
    }
    ASSIGN_OR_RETURN(Operand apart, FromView(call, *std::move(view)));
    apart.name = operand.name;
    operands.push_back(std::move(apart));
  }
  if (leading[0] != leading[1]) {
    return call.Unimplemented("a product of tensors whose batches are parts of unlike axes");
  }
  ASSIGN_OR_RETURN(auto products, call.As("MatMul", operands, {}, ""));
  std::optional<View> result = AsView(products.at(0));
  if (!result.has_value()) return call.Unimplemented("a product that is no tensor");
  Axes first;
  for (std::size_t i = 0; i < leading[0].size(); ++i) first.push_back(i);
  result->groups.erase(result->groups.begin(),
                       result->groups.begin() + static_cast<std::ptrdiff_t>(first.size()));
  result->groups.insert(result->groups.begin(), first);
  return Made(call, *std::move(result));
}

// An operator that computes each element for itself, perhaps with one number.
absl::StatusOr<Outputs> FoldElementwise(NodeCall& call) {
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
      return call.Unimplemented("computes with a tensor that the batch is part of an axis of");
    }
  }
  std::vector<AttributeProto> attributes = call.node().attributes;
  for (const AttributeProto& attribute : attributes) call.Ignore(attribute.name);
  ASSIGN_OR_RETURN(const auto results, call.As(call.node().op_type, operands, attributes, ""));
  const auto* const held = std::get_if<std::shared_ptr<Activation>>(&results.at(0).content);
  if (held == nullptr) return call.Unimplemented("a result that is no value");
  view->source = *held;
  return Made(call, *std::move(view));
}

// Over the last axis.
absl::StatusOr<Outputs> FoldSoftmax(NodeCall& call, const View& view) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", call.opset() < 13 ? 1 : -1));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, view.groups.size()));
  if (axis + 1 != view.groups.size() || view.groups[axis].size() != 1) {
    return call.Unimplemented("over an axis that the batch is part of");
  }
  AttributeProto attribute;
  attribute.name = "axis";
  attribute.type = 2;  // INT
  attribute.i = static_cast<std::int64_t>(view.groups[axis][0]);
  // Until opset 12 the axes behind that one belonged to it.
  if (call.opset() < 13 && view.groups[axis][0] + 1 != view.source->shape.size()) {
    return call.Unimplemented("over an axis that is not the last");
  }
  ASSIGN_OR_RETURN(const auto results,
                   call.As(call.node().op_type, {{"", view.source}}, {attribute}, ""));
  View result = view;
  result.source = std::get<std::shared_ptr<Activation>>(results.at(0).content);
  return Made(call, std::move(result));
}

bool ComputesElements(const std::string& op) {
  constexpr std::array<absl::string_view, 14> kOps = {"Add",  "Cast",    "Div", "Erf", "Exp",
                                                      "Gelu", "IsNaN",   "Mul", "Neg", "Not",
                                                      "Relu", "Sigmoid", "Sub", "Tanh"};
  return std::find(kOps.begin(), kOps.end(), op) != kOps.end();
}

}  // namespace

absl::StatusOr<std::optional<std::vector<Operand>>> FoldView(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (call.num_inputs() == 0 || call.input(0).is_absent()) return Outputs();
  if (op == "Gather") return FoldGather(call);
  if (op == "GatherND") return FoldGatherNd(call);
  if (op == "Reshape") return FoldReshape(call);
  if (op == "Flatten") return FoldFlatten(call);
  const auto is_view = [](const Operand& operand) { return operand.view() != nullptr; };
  if (std::none_of(call.inputs().begin(), call.inputs().end(), is_view)) return Outputs();
  const View* const view = call.input(0).view();
  if (op == "Identity") return One(call.input(0));
  if (op == "Shape" || op == "Size") return Outputs();
  if (op == "Transpose" && view != nullptr) return FoldTranspose(call, *view);
  if (op == "Unsqueeze" && view != nullptr) return FoldUnsqueeze(call, *view);
  if (op == "MatMul") return FoldMatMul(call);
  if (op == "Softmax" && view != nullptr) return FoldSoftmax(call, *view);
  if (ComputesElements(op)) return FoldElementwise(call);
  return call.Unimplemented("takes a tensor that the batch is part of an axis of");
}

}  // namespace octet::onnx
