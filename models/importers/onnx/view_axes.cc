// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/view_axes.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/verify.h"

namespace octet::onnx {

namespace {

using Axes = ViewAxes;

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

// `dim` divided by `size`, where that is exact.
std::optional<Dim> Divided(const Dim& dim, const Dim& size) {
  if (dim == size) return Dim(1);
  const auto is_multiple = [](const Dim& open) {
    return open.offset() == 0 && open.divisor() == 1;
  };
  if (dim.is_constant() && size.is_constant()) {
    if (size.value() < 1 || dim.value() % size.value() != 0) return std::nullopt;
    return Dim(dim.value() / size.value());
  }
  if (dim.is_constant() || !is_multiple(dim)) return std::nullopt;
  if (size.is_constant()) {
    if (size.value() < 1 || dim.scale() % size.value() != 0) return std::nullopt;
    const auto quotient = dim.FloorDividedBy(size.value());
    return quotient.ok() ? std::optional(*quotient) : std::nullopt;
  }
  if (!is_multiple(size) || dim.symbol() != size.symbol() || dim.scale() % size.scale() != 0) {
    return std::nullopt;
  }
  return Dim(dim.scale() / size.scale());
}

// A part of an axis.
struct Piece {
  std::size_t axis = 0;
  Dim size;
};

// The axes of `view`, one behind the other, cut and in groups so that they have the sizes `wanted`.
// Nothing where an open axis would have to be cut.
std::optional<std::vector<std::vector<Piece>>> CutAxes(const View& view, const Shape& wanted) {
  std::vector<Piece> left;  // the next one last
  for (const Axes& axes : view.groups) {
    for (const std::size_t axis : axes) left.push_back({axis, view.source->shape[axis]});
  }
  std::reverse(left.begin(), left.end());
  std::vector<std::vector<Piece>> groups;
  for (const Dim& size : wanted) {
    std::vector<Piece>& group = groups.emplace_back();
    for (Dim rest = size; rest != Dim(1);) {
      if (left.empty()) return std::nullopt;
      Piece& next = left.back();
      if (const std::optional<Dim> quotient = Divided(rest, next.size)) {
        group.push_back(next);
        left.pop_back();
        rest = *quotient;
        continue;
      }
      const std::optional<Dim> inner =
          next.size.is_constant() ? Divided(next.size, rest) : std::nullopt;
      if (!inner.has_value()) return std::nullopt;
      group.push_back({next.axis, rest});
      next.size = *inner;
      rest = Dim(1);
    }
  }
  while (!left.empty() && left.back().size == Dim(1) && !groups.empty()) {
    groups.back().push_back(left.back());
    left.pop_back();
  }
  if (!left.empty()) return std::nullopt;
  return groups;
}

// `source` with each axis cut into as many as `parts` says.
absl::StatusOr<std::shared_ptr<Activation>> WithParts(const NodeCall& call,
                                                      const Activation& source,
                                                      const std::vector<Shape>& parts) {
  Axes first(parts.size(), 0);  // of each axis, where its parts begin
  for (std::size_t axis = 1; axis < parts.size(); ++axis) {
    first[axis] = first[axis - 1] + parts[axis - 1].size();
  }
  const auto [order, id] = NodeCall::AnyForm(source);
  Order result;
  std::vector<std::int64_t> shape(call.lead(), 0);
  bool has_guess = false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t axis = order[i];
    for (std::size_t k = 0; k < parts[axis].size(); ++k) {
      const Dim& size = parts[axis][k];
      const bool is_in_place = parts[axis].size() == 1 && result.size() == i;
      if (!is_in_place && !size.is_constant() && std::exchange(has_guess, true)) {
        return call.Unimplemented("cuts an axis in front of two open ones");
      }
      shape.push_back(is_in_place ? 0 : size.is_constant() ? size.value() : -1);
      result.push_back(first[axis] + k);
    }
  }
  if (shape.size() > kMaxRank) return call.Unimplemented("a tensor of more than 8 dimensions");
  ASSIGN_OR_RETURN(const ValueId cut,
                   call.graph().Reshape(absl::StrCat(call.name(), "/cut"), id, std::move(shape)));
  return call.FromValue(cut, result);
}

// Whether `axes` together are no axis that a tensor of the graph can have.
bool IsNoAxis(const NodeCall& call, const View& view, const Axes& axes) {
  const bool has_rows = std::any_of(axes.begin(), axes.end(), [&view](std::size_t axis) {
    return view.source->shape[axis] == Dim(kRows);
  });
  return axes.size() > 1 &&
         ((call.lead() == 0 && has_rows) || !ProductOf(view.source->shape, axes).ok());
}

// `view`, each axis of which a tensor can have, as an activation: the batch in front, its other
// axes in their order.
absl::StatusOr<std::shared_ptr<Activation>> Merged(const NodeCall& call, const View& view) {
  const Shape& from = view.source->shape;
  Order groups = PlainOrder(view.groups.size());
  std::stable_partition(groups.begin(), groups.end(), [&](std::size_t i) {
    return view.groups[i].size() == 1 && from[view.groups[i][0]] == Dim(kRows);
  });
  Order order;
  std::vector<std::int64_t> shape(call.lead(), 0);
  bool has_guess = false;
  for (const std::size_t i : groups) {
    const Axes& axes = view.groups[i];
    const bool is_in_place = axes.size() == 1 && order.size() + call.lead() == shape.size();
    ASSIGN_OR_RETURN(const Dim size, ProductOf(from, axes));
    if (!is_in_place && !size.is_constant() && std::exchange(has_guess, true)) {
      return call.Unimplemented("puts axes together in front of two open ones");
    }
    shape.push_back(is_in_place ? 0 : size.is_constant() ? size.value() : -1);
    order.insert(order.end(), axes.begin(), axes.end());
  }
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*view.source, order));
  ASSIGN_OR_RETURN(const ValueId merged, call.graph().Reshape(absl::StrCat(call.name(), "/merged"),
                                                              id, std::move(shape)));
  return call.FromValue(merged, groups);
}

}  // namespace

std::optional<View> AsView(const Operand& operand) {
  if (const View* const view = operand.view()) return *view;
  const auto* const held = std::get_if<std::shared_ptr<Activation>>(&operand.content);
  if (held == nullptr) return std::nullopt;
  View view{*held, {}};
  for (std::size_t axis = 0; axis < (*held)->shape.size(); ++axis) view.groups.push_back({axis});
  return view;
}

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

absl::StatusOr<std::optional<View>> Refined(const NodeCall& call, const View& view,
                                            const Shape& wanted) {
  const auto groups = CutAxes(view, wanted);
  if (!groups.has_value()) return std::optional<View>();
  std::vector<Shape> parts(view.source->shape.size());
  for (const std::vector<Piece>& group : *groups) {
    for (const Piece& piece : group) parts[piece.axis].push_back(piece.size);
  }
  View result;
  ASSIGN_OR_RETURN(result.source, WithParts(call, *view.source, parts));
  Axes next(parts.size(), 0);
  for (std::size_t axis = 1; axis < parts.size(); ++axis) {
    next[axis] = next[axis - 1] + parts[axis - 1].size();
  }
  for (const std::vector<Piece>& group : *groups) {
    Axes& axes = result.groups.emplace_back();
    for (const Piece& piece : group) axes.push_back(next[piece.axis]++);
  }
  return std::optional(std::move(result));
}

bool IsNoTensor(const NodeCall& call, const View& view) {
  return std::any_of(view.groups.begin(), view.groups.end(),
                     [&](const Axes& axes) { return IsNoAxis(call, view, axes); });
}

absl::StatusOr<TakenApart> Apart(const NodeCall& call, const View& view) {
  TakenApart result;
  std::vector<Axes> groups;
  bool has_one = false;
  for (const Axes& axes : view.groups) {
    if (!IsNoAxis(call, view, axes)) {
      groups.push_back(axes);
      continue;
    }
    if (std::exchange(has_one, true)) {
      return call.Unimplemented("two axes of which the batch or open dimensions are part");
    }
    result.first = groups.size();
    // Those whose size is known are one, so that views of the same sizes have the same parts.
    bool is_known = false;
    for (const std::size_t axis : axes) {
      const bool was_known = std::exchange(is_known, view.source->shape[axis].is_constant());
      if (!was_known || !is_known) groups.emplace_back();
      groups.back().push_back(axis);
    }
    result.count = groups.size() - result.first;
  }
  ASSIGN_OR_RETURN(Operand operand, FromView(call, {view.source, groups}));
  if (auto* const held = std::get_if<std::shared_ptr<Activation>>(&operand.content)) {
    result.activation = *held;
    return result;
  }
  const View& left = *operand.view();
  ASSIGN_OR_RETURN(result.activation, Merged(call, left));
  return result;
}

View WithTogether(View view, std::size_t first, std::size_t count) {
  const auto begin = view.groups.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  Axes axes;
  for (auto group = begin; group != end; ++group) {
    axes.insert(axes.end(), group->begin(), group->end());
  }
  const auto place = view.groups.erase(begin, end);
  view.groups.insert(place, std::move(axes));
  return view;
}

}  // namespace octet::onnx
