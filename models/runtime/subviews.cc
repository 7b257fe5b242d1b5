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
    if (whole[i] != Dim(kRows)) return InPlace::kNone;
    if (max_rows > 1) result = InPlace::kOneRow;
  }
  return result;
}

// Elements of the last `rank` dimensions, if there are so many and all are known.
std::optional<std::int64_t> RowSize(const Shape& shape, std::size_t rank) {
  if (rank == 0 || rank > shape.size()) return std::nullopt;
  std::int64_t size = 1;
  for (std::size_t i = shape.size() - rank; i < shape.size(); ++i) {
    if (!shape[i].is_constant()) return std::nullopt;
    size *= shape[i].value();
  }
  return size;
}

class SubviewFinder {
 public:
  SubviewFinder(const Graph& graph, std::span<const CompiledStep> steps,
                std::span<const ValueId> root_of, std::int64_t max_rows)
      : graph_(graph), root_of_(root_of), max_rows_(max_rows), roots_(graph.values.size()) {
    for (const ValueId id : graph.outputs) At(id).is_bound = true;
    for (const CompiledStep& step : steps) {
      for (std::size_t i = 0; i < step.outputs.size(); ++i) {
        At(step.outputs[i]).maker = step.step.get();
        At(step.outputs[i]).made_as = i;
      }
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        const ValueId id = step.inputs[i];
        if (id != kNoValue) AddUse(At(id), RowSize(ShapeOf(id), step.step->InputRowRank(i)));
      }
    }
  }

  // Whether output 0 of `node` now is a subview of input 0.
  InPlace AddSlice(const Node& node, const AxisOffset& part) {
    const ValueId whole = node.inputs[0];
    const ValueId slice = node.outputs[0];
    const bool is_constant =
        graph_.values[static_cast<std::size_t>(RootOf(whole))].constant.has_value();
    if (is_constant || At(slice).is_bound) return InPlace::kNone;
    return Add(slice, whole, part, Kind::kSlice);
  }

  // Whether all inputs of `node` now are subviews of output 0.
  InPlace AddConcat(const Node& node, std::size_t axis) {
    InPlace result = InPlace::kAlways;
    Dim start = 0;
    for (const ValueId piece : node.inputs) {
      const bool may_move = At(piece).maker != nullptr && !At(piece).is_bound;
      const InPlace in_place =
          may_move ? Add(piece, node.outputs[0], {axis, start}, Kind::kPiece) : InPlace::kNone;
      result = std::min(result, in_place);
      // The type rule of the node added them up before.
      start = Dim::Sum(start, ShapeOf(piece)[axis]).value();
    }
    return result;
  }

  // Wholes before what lies in them: what a Concat joins lies in what is made later, a Slice in
  // what is made before, and no Concat's output in a Slice.
  std::vector<Subview> Take() {
    std::ranges::reverse(pieces_);
    pieces_.insert(pieces_.end(), slices_.begin(), slices_.end());
    return std::move(pieces_);
  }

 private:
  enum class Kind { kSlice, kPiece };
  // What is known of a value and of all that share its very bytes.
  struct Root {
    const Step* maker = nullptr;  // null: an input or a constant
    std::size_t made_as = 0;      // which output of it
    bool is_used = false;
    // Elements of a row, where all steps that read it can do so with rows of so many lying apart.
    std::optional<std::int64_t> read_row_size;
    bool is_bound = false;    // to a place, which is no other's
    bool holds_runs = false;  // subviews without a pitch lie in it
  };

  static void AddUse(Root& root, std::optional<std::int64_t> row_size) {
    if (!root.is_used) root.read_row_size = row_size;
    if (root.read_row_size != row_size) root.read_row_size = std::nullopt;
    root.is_used = true;
  }

  // Makes `value` a subview, if it can be one, in as many runs as it can.
  InPlace Add(ValueId value, ValueId whole, const AxisOffset& part, Kind kind) {
    const Shape& shape = ShapeOf(whole);
    InPlace in_place = WhenContiguous(shape, part.axis, max_rows_);
    const bool has_pitch =
        in_place != InPlace::kAlways &&
        MayHavePitch(value, RowSize(ShapeOf(value), shape.size() - part.axis), kind);
    if (has_pitch) in_place = InPlace::kAlways;
    if (in_place == InPlace::kNone) return InPlace::kNone;
    At(value).is_bound = true;
    if (!has_pitch) At(whole).holds_runs = true;
    std::vector<Subview>& subviews = kind == Kind::kSlice ? slices_ : pieces_;
    subviews.push_back({.value = RootOf(value),
                        .whole = whole,
                        .whole_root = RootOf(whole),
                        .part = part,
                        .in_place = in_place,
                        .has_pitch = has_pitch});
    return in_place;
  }

  // Whether all steps that read `value`, and the one that writes a piece, can do so where rows of
  // `row_size` elements lie apart. Then the rows of pieces that lie in it are its rows: the step
  // that joins them says so.
  [[nodiscard]] bool MayHavePitch(ValueId value, std::optional<std::int64_t> row_size, Kind kind) {
    const Root& root = At(value);
    if (!row_size.has_value() || root.holds_runs) return false;
    if (root.is_used && root.read_row_size != row_size) return false;
    if (kind == Kind::kSlice) return true;
    return RowSize(ShapeOf(RootOf(value)), root.maker->OutputRowRank(root.made_as)) == row_size;
  }

  [[nodiscard]] ValueId RootOf(ValueId id) const { return root_of_[static_cast<std::size_t>(id)]; }
  Root& At(ValueId id) { return roots_[static_cast<std::size_t>(RootOf(id))]; }
  [[nodiscard]] const Shape& ShapeOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].type.shape;
  }

  const Graph& graph_;
  const std::span<const ValueId> root_of_;
  const std::int64_t max_rows_;
  std::vector<Root> roots_;  // by ValueId
  std::vector<Subview> pieces_;
  std::vector<Subview> slices_;
};

}  // namespace

Subviews FindSubviews(const Graph& graph, const OperatorRegistry& operators,
                      std::span<const CompiledStep> steps, std::span<const ValueId> root_of,
                      std::int64_t max_rows) {
  SubviewFinder finder(graph, steps, root_of, max_rows);
  Subviews result;
  for (const Node& node : graph.nodes) {
    const Operator& op = **operators.Find(node.op);
    const auto shape_of = [&](ValueId id) -> const Shape& {
      return graph.values[static_cast<std::size_t>(id)].type.shape;
    };
    InPlace in_place = InPlace::kNone;
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
