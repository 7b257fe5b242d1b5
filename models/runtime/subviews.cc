// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/subviews.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace octet {
namespace {

// When a part along `axis` of a tensor of this shape is one run of its bytes.
InPlace WhenContiguous(const Shape& whole, std::size_t axis, std::int64_t max_rows) {
  InPlace result = InPlace::kAlways;
  for (std::size_t i = 0; i < axis; ++i) {
    if (whole[i] == Dim(1)) continue;
    if (whole[i] != Dim(kRows)) return InPlace::kNever;
    if (max_rows > 1) result = InPlace::kOneRow;
  }
  return result;
}

class SubviewFinder {
 public:
  SubviewFinder(const Graph& graph, std::span<const ValueId> root_of, std::int64_t max_rows)
      : graph_(graph),
        root_of_(root_of),
        max_rows_(max_rows),
        is_made_(graph.values.size(), true),
        is_bound_(graph.values.size(), false) {
    for (std::size_t i = 0; i < graph.values.size(); ++i) is_made_[i] = !graph.values[i].constant;
    for (const ValueId id : graph.inputs) is_made_[Root(id)] = false;
    for (const ValueId id : graph.outputs) is_bound_[Root(id)] = true;
  }

  // Whether output 0 of `node` now is a subview of input 0.
  InPlace AddSlice(const Node& node, const AxisOffset& part) {
    const ValueId whole = node.inputs[0];
    const InPlace in_place = WhenContiguous(ShapeOf(whole), part.axis, max_rows_);
    const bool is_constant = graph_.values[Root(whole)].constant.has_value();
    if (in_place == InPlace::kNever || is_constant || is_bound_[Root(node.outputs[0])]) {
      return InPlace::kNever;
    }
    Add(slices_, node.outputs[0], whole, part, in_place);
    return in_place;
  }

  // Whether all inputs of `node` now are subviews of output 0.
  InPlace AddConcat(const Node& node, std::size_t axis) {
    const ValueId whole = node.outputs[0];
    const InPlace in_place = WhenContiguous(ShapeOf(whole), axis, max_rows_);
    if (in_place == InPlace::kNever) return InPlace::kNever;
    bool are_all = true;
    Dim start = 0;
    for (const ValueId piece : node.inputs) {
      const bool may_move = is_made_[Root(piece)] && !is_bound_[Root(piece)];
      if (may_move) Add(pieces_, piece, whole, {axis, start}, in_place);
      are_all = are_all && may_move;
      // The type rule of the node added them up before.
      start = Dim::Sum(start, ShapeOf(piece)[axis]).value();
    }
    return are_all ? in_place : InPlace::kNever;
  }

  // Wholes before what lies in them: what a Concat joins lies in what is made later, a Slice in
  // what is made before, and no Concat's output in a Slice.
  std::vector<Subview> Take() {
    std::ranges::reverse(pieces_);
    pieces_.insert(pieces_.end(), slices_.begin(), slices_.end());
    return std::move(pieces_);
  }

 private:
  void Add(std::vector<Subview>& subviews, ValueId value, ValueId whole, const AxisOffset& part,
           InPlace in_place) {
    is_bound_[Root(value)] = true;
    subviews.push_back({.value = root_of_[static_cast<std::size_t>(value)],
                        .whole = whole,
                        .whole_root = root_of_[static_cast<std::size_t>(whole)],
                        .part = part,
                        .in_place = in_place});
  }

  [[nodiscard]] std::size_t Root(ValueId id) const {
    return static_cast<std::size_t>(root_of_[static_cast<std::size_t>(id)]);
  }
  [[nodiscard]] const Shape& ShapeOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].type.shape;
  }

  const Graph& graph_;
  const std::span<const ValueId> root_of_;
  const std::int64_t max_rows_;
  std::vector<bool> is_made_;   // by ValueId of a root: by a step
  std::vector<bool> is_bound_;  // by ValueId of a root: to a place, which is no other's
  std::vector<Subview> pieces_;
  std::vector<Subview> slices_;
};

}  // namespace

Subviews FindSubviews(const Graph& graph, const OperatorRegistry& operators,
                      std::span<const ValueId> root_of, std::int64_t max_rows) {
  SubviewFinder finder(graph, root_of, max_rows);
  Subviews result;
  for (const Node& node : graph.nodes) {
    const Operator& op = **operators.Find(node.op);
    const auto shape_of = [&](ValueId id) -> const Shape& {
      return graph.values[static_cast<std::size_t>(id)].type.shape;
    };
    InPlace in_place = InPlace::kNever;
    if (node.HasInput(0)) {
      if (const auto part = op.PartOfInput(node, shape_of(node.inputs[0]))) {
        in_place = finder.AddSlice(node, *part);
      } else if (const auto axis = op.JoinedAxis(node, shape_of(node.outputs[0]).size())) {
        in_place = finder.AddConcat(node, *axis);
      }
    }
    result.nodes.push_back(in_place);
  }
  result.subviews = finder.Take();
  return result;
}

}  // namespace octet
