// SPDX-License-Identifier: Apache-2.0
// Operators that move elements and compute none.

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/reshape_sizes.h"
#include "models/importers/onnx/reversal_operators.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Outputs = absl::StatusOr<std::vector<Operand>>;

constexpr std::int64_t kEnd = std::int64_t{1} << 60;
// No axis is longer: what exporters write for "to the end" of an open one, or more.
constexpr std::int64_t kLongest = 1'000'000'000;

// The order that the result has, if a reshape of a value in `order` needs no transpose: the first
// `kept` axes are the same in both shapes and may be in any order among themselves.
bool KeepsOrder(const Order& order, std::size_t kept) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i < kept ? order[i] >= kept : order[i] != i) return false;
  }
  return true;
}

absl::StatusOr<Operand> Reshaped(NodeCall& call, Activation& x, const Shape& to) {
  const Shape& from = x.shape;
  if (from == to) return call.Result(NodeCall::AnyForm(x).second, NodeCall::AnyForm(x).first);
  std::size_t kept = 0;
  while (kept < from.size() && kept < to.size() && from[kept] == to[kept]) ++kept;
  Order order = PlainOrder(from.size());
  for (const auto& form : x.forms) {
    if (KeepsOrder(form.first, kept)) {
      order = form.first;
      break;
    }
  }
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(x, order));
  Order result(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
  for (std::size_t i = kept; i < to.size(); ++i) result.push_back(i);
  std::vector<std::int64_t> shape;
  bool has_guess = false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (i < kept || (i < order.size() && to[i] == from[order[i]])) {
      shape.push_back(0);
    } else if (to[i].is_constant()) {
      shape.push_back(to[i].value());
    } else if (!has_guess) {
      shape.push_back(-1);
      has_guess = true;
    } else {
      return call.Unimplemented(absl::StrCat(
          "from ", ToString(from, call.graph().graph().symbol_names), " to ",
          ToString(to, call.graph().graph().symbol_names), ": two open dimensions change"));
    }
  }
  std::vector<std::int64_t> full(call.lead(), 0);
  full.insert(full.end(), shape.begin(), shape.end());
  ASSIGN_OR_RETURN(const ValueId reshaped, call.graph().Reshape(call.name(), id, std::move(full)));
  return call.Result(reshaped, result);
}

Outputs TranslateReshape(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t allows_zero, call.Int("allowzero", 0));
  std::vector<Dim> wanted;
  if (call.Has(1)) {
    ASSIGN_OR_RETURN(wanted, call.SizesOf(1, "shape"));
  } else {
    ASSIGN_OR_RETURN(const auto given, call.Ints("shape"));
    wanted.assign(given.begin(), given.end());
  }
  ASSIGN_OR_RETURN(const Shape to,
                   ResolvedShape(call, x->shape, std::move(wanted), allows_zero == 0));
  ASSIGN_OR_RETURN(Operand result, Reshaped(call, *x, to));
  return Single(std::move(result));
}

Outputs TranslateFlatten(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  const auto rank = static_cast<std::int64_t>(x->shape.size());
  if (raw_axis < -rank || raw_axis > rank) return call.Invalid("its axis is out of range");
  const auto axis = x->shape.begin() + (raw_axis < 0 ? raw_axis + rank : raw_axis);
  ASSIGN_OR_RETURN(const Dim outer, QuotientOf(call, Shape(x->shape.begin(), axis), {}));
  ASSIGN_OR_RETURN(const Dim inner, QuotientOf(call, Shape(axis, x->shape.end()), {}));
  ASSIGN_OR_RETURN(Operand result, Reshaped(call, *x, {outer, inner}));
  return Single(std::move(result));
}

// Only noted: whoever needs another order asks for it.
Outputs TranslateTranspose(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  const std::size_t rank = x->shape.size();
  ASSIGN_OR_RETURN(const Order permutation, PermutationOf(call, rank));
  auto result = std::make_shared<Activation>();
  result->type = x->type;
  Order new_place(rank);  // of each old axis
  for (std::size_t i = 0; i < rank; ++i) {
    result->shape.push_back(x->shape[permutation[i]]);
    new_place[permutation[i]] = i;
  }
  for (const auto& [order, id] : x->forms) {
    Order moved;
    for (const std::size_t axis : order) moved.push_back(new_place[axis]);
    result->forms[moved] = id;
  }
  return Single({"", std::move(result)});
}

Outputs TranslateSqueeze(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const auto axes, SqueezeAxes(call, x->shape));
  ASSIGN_OR_RETURN(auto result, call.Squeeze(*x, axes));
  return Single({"", std::move(result)});
}

Outputs TranslateUnsqueeze(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const auto axes, UnsqueezeAxes(call, x->shape.size()));
  ASSIGN_OR_RETURN(auto result, call.Unsqueeze(*x, axes));
  return Single({"", std::move(result)});
}

Outputs TranslateConcat(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 4096));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 1));
  const Operand* first = nullptr;
  for (const Operand& operand : call.inputs()) {
    if (operand.is_absent()) return call.Invalid("an input is absent");
    if (first == nullptr && operand.activation() != nullptr) first = &operand;
  }
  if (first == nullptr) return call.Unimplemented("joins sizes to numbers of another type");
  const std::size_t rank = first->rank();
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, rank));
  const Order order = NodeCall::AnyForm(*first->activation()).first;
  std::vector<ValueId> ids;
  for (const Operand& operand : call.inputs()) {
    if (operand.rank() != rank) return call.Invalid("joins tensors of different ranks");
    if (Activation* const x = operand.activation()) {
      ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*x, order));
      ids.push_back(id);
    } else {
      return call.Unimplemented(
          absl::StrCat("joins ", operand.name, ", which does not depend on the model's inputs"));
    }
  }
  if (ids.size() == 1) return Single(call.Result(ids[0], order));
  ASSIGN_OR_RETURN(const ValueId id,
                   call.Emit("Concat", std::move(ids), {{"axis", call.AxisIn(order, axis)}}));
  return Single(call.Result(id, order));
}

// Slices `x`; axes that are taken whole are left out.
absl::StatusOr<Operand> Sliced(NodeCall& call, Activation& x, const SliceParts& parts,
                               absl::string_view suffix) {
  const auto [order, id] = NodeCall::AnyForm(x);
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> steps;
  for (std::size_t i = 0; i < parts.axes.size(); ++i) {
    const Dim& dim = x.shape[parts.axes[i]];
    const bool is_whole = parts.starts[i] == 0 && parts.steps[i] == 1 &&
                          parts.ends[i] >= (dim.is_constant() ? dim.value() : kLongest);
    if (is_whole) continue;
    if (dim.is_constant() &&
        ResolveSlice(dim.value(), parts.starts[i], parts.ends[i], parts.steps[i]).length == 0) {
      return call.Unimplemented("an empty result");
    }
    axes.push_back(call.AxisIn(order, parts.axes[i]));
    starts.push_back(parts.starts[i]);
    const bool is_to_end = !dim.is_constant() && parts.ends[i] >= kLongest;
    const bool is_to_begin = !dim.is_constant() && parts.ends[i] <= -kLongest;
    ends.push_back(is_to_end ? kEnd : is_to_begin ? -kEnd : parts.ends[i]);
    steps.push_back(parts.steps[i]);
  }
  if (axes.empty()) return call.Result(id, order);
  ASSIGN_OR_RETURN(
      const ValueId result,
      call.Emit("Slice", {id},
                {{"axes", axes}, {"starts", starts}, {"ends", ends}, {"steps", steps}}, suffix));
  return call.Result(result, order);
}

Outputs TranslateSlice(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 5));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const SliceParts parts, SlicePartsOf(call, x->shape.size()));
  ASSIGN_OR_RETURN(Operand result, Sliced(call, *x, parts, ""));
  return Single(std::move(result));
}

Outputs TranslateSplit(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, x->shape.size()));
  if (!x->shape[axis].is_constant()) return call.Unimplemented("splits an open dimension");
  ASSIGN_OR_RETURN(const auto sizes, SplitSizes(call, x->shape[axis].value()));
  std::vector<Operand> outputs;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    ASSIGN_OR_RETURN(Operand part, Sliced(call, *x, {{axis}, {start}, {start + size}, {1}},
                                          absl::StrCat("part_", outputs.size())));
    outputs.push_back(std::move(part));
    start += size;
  }
  return outputs;
}

// To open sizes only once somebody needs that.
Outputs TranslateExpand(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(std::vector<Dim> wanted, call.SizesOf(1, "shape"));
  std::shared_ptr<Activation> x;
  if (const Stretched* const larger = call.input(0).stretched()) {
    const auto full = StretchedShape(larger->shape, wanted);
    if (!full.ok()) return call.WithNode(full.status());
    wanted = *full;
    x = larger->content;
  } else {
    ASSIGN_OR_RETURN(x, call.ActivationOf(0));
  }
  if (wanted.size() > x->shape.size()) {
    ASSIGN_OR_RETURN(x, call.Unsqueeze(*x, PlainOrder(wanted.size() - x->shape.size())));
  }
  const std::size_t added = x->shape.size() - wanted.size();
  const auto [order, id] = NodeCall::AnyForm(*x);
  std::vector<std::int64_t> shape(call.lead(), 0);
  Shape full = x->shape;
  bool is_same = true;
  for (const std::size_t axis : order) {
    Dim to = axis < added ? Dim(1) : wanted[axis - added];
    const Dim& from = x->shape[axis];
    if (call.lead() == 0 && axis == 0 && from == Dim(kRows) &&
        to == Dim(call.translation().written_rows)) {
      to = from;
    }
    shape.push_back(0);
    if (to == Dim(1) || to == from) continue;
    if (from != Dim(1) || (to.is_constant() && to.value() < 1)) {
      return call.Unimplemented(
          absl::StrCat("stretches ", ToString(x->shape, call.graph().graph().symbol_names), " to ",
                       ToString(wanted, call.graph().graph().symbol_names)));
    }
    full[axis] = to;
    if (!to.is_constant()) continue;
    is_same = false;
    shape.back() = to.value();
  }
  ValueId result = id;
  if (!is_same) {
    ASSIGN_OR_RETURN(result, call.Emit("Expand", {id}, {{"shape", shape}}));
  }
  ASSIGN_OR_RETURN(Operand operand, call.AsStretched(call.Result(result, order), full));
  return Single(std::move(operand));
}

Outputs TranslateTile(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const auto repeats, call.Numbers(1, "repeats"));
  if (repeats.size() != x->shape.size()) return call.Invalid("its repeats have not every axis");
  const auto [order, id] = NodeCall::AnyForm(*x);
  std::vector<std::int64_t> moved(call.lead(), 1);
  for (const std::size_t axis : order) moved.push_back(repeats[axis]);
  ASSIGN_OR_RETURN(const ValueId result, call.Emit("Tile", {id}, {{"repeats", moved}}));
  return Single(call.Result(result, order));
}

// The axes that Pad is told the ends of: all where it names none.
absl::StatusOr<std::vector<std::size_t>> PaddedAxes(const NodeCall& call, std::size_t rank) {
  if (!call.Has(3)) return PlainOrder(rank);
  ASSIGN_OR_RETURN(const auto numbers, call.Numbers(3, "axes"));
  std::vector<std::size_t> axes;
  for (const std::int64_t number : numbers) {
    ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(number, rank));
    axes.push_back(axis);
  }
  return axes;
}

// What Pad puts at both ends of `num_axes` axes: in front of each, and then behind each.
absl::StatusOr<std::vector<std::int64_t>> PadsOf(NodeCall& call, std::size_t num_axes) {
  ASSIGN_OR_RETURN(const auto pads, call.NumbersOrAttribute(1, "pads"));
  if (!pads.has_value() || pads->size() != 2 * num_axes) {
    return call.Invalid("its pads have not two for each axis");
  }
  constexpr std::int64_t kMostPadding = std::int64_t{1} << 31;
  for (const std::int64_t pad : *pads) {
    if (pad < -kMostPadding || pad > kMostPadding) {
      return call.Invalid(
          absl::StrCat("a pad of ", pad, ", wants ", -kMostPadding, " to ", kMostPadding));
    }
  }
  return *pads;
}

Outputs TranslatePad(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 4));
  ASSIGN_OR_RETURN(auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::string mode, call.String("mode", "constant"));
  ASSIGN_OR_RETURN(float value, call.Float("value", 0.0F));
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap") {
    return call.Invalid(absl::StrCat("attribute \"mode\" is \"", mode, "\""));
  }
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const ConstantTensor constant, call.Constant(2, "value"));
    if (NumElements(constant.dims()) != 1) return call.Invalid("its value is no single number");
    value = FloatElements(constant)[0];
  }
  const std::size_t rank = x->shape.size();
  ASSIGN_OR_RETURN(const std::vector<std::size_t> axes, PaddedAxes(call, rank));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> given, PadsOf(call, axes.size()));
  const auto [order, id] = NodeCall::AnyForm(*x);
  const std::size_t full_rank = rank + call.lead();
  std::vector<std::int64_t> pads(2 * full_rank, 0);
  SliceParts cut;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto place = static_cast<std::size_t>(call.AxisIn(order, axes[i]));
    const std::int64_t before = given[i];
    const std::int64_t after = given[i + axes.size()];
    pads[place] = std::max<std::int64_t>(before, 0);
    pads[place + full_rank] = std::max<std::int64_t>(after, 0);
    if (before < 0 || after < 0) {  // takes away instead
      if (mode != "constant" && (before > 0 || after > 0)) {
        return call.Unimplemented(
            absl::StrCat("mode ", mode, " of an axis that is shortened on its other side"));
      }
      cut.axes.push_back(axes[i]);
      cut.starts.push_back(std::max<std::int64_t>(-before, 0));
      cut.ends.push_back(after < 0 ? after : kEnd);
      cut.steps.push_back(1);
    }
  }
  Operand result = call.Result(id, order);
  if (std::any_of(pads.begin(), pads.end(), [](auto pad) { return pad != 0; })) {
    Attributes attributes = {{"pads", pads}};
    if (mode == "constant") {
      attributes["value"] = static_cast<double>(value);
    } else {
      attributes["mode"] = mode;
    }
    ASSIGN_OR_RETURN(const ValueId padded, call.Emit("Pad", {id}, std::move(attributes)));
    result = call.Result(padded, order);
  }
  if (!cut.axes.empty()) {
    ASSIGN_OR_RETURN(result, Sliced(call, *result.activation(), cut, "cut"));
  }
  return Single(std::move(result));
}

// --- Pixels and channels: reshapes with a transpose between them.

// `x` as `shape`, its axes moved, and as `to`.
absl::StatusOr<Operand> Shuffled(NodeCall& call, Activation& x, const Shape& apart,
                                 const Order& order, const Shape& to) {
  ASSIGN_OR_RETURN(Operand value, Reshaped(call, x, apart));
  auto moved = std::make_shared<Activation>();
  moved->type = x.type;
  for (const std::size_t axis : order) moved->shape.push_back(apart[axis]);
  ASSIGN_OR_RETURN(const ValueId id, call.InOrder(*value.activation(), order));
  moved->forms[PlainOrder(order.size())] = id;
  return Reshaped(call, *moved, to);
}

absl::StatusOr<std::int64_t> BlockSize(NodeCall& call, const Activation& x) {
  ASSIGN_OR_RETURN(const std::int64_t block, call.Int("blocksize", 0));
  if (block < 1 || block > 1024 || x.shape.size() != 4) {
    return call.Invalid("wants [N, C, H, W] and a blocksize of at least 1");
  }
  for (const std::size_t axis : {1U, 2U, 3U}) {
    if (!x.shape[axis].is_constant()) return call.Unimplemented("images of an open size");
  }
  return block;
}

Outputs TranslateDepthToSpace(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::string mode, call.String("mode", "DCR"));
  ASSIGN_OR_RETURN(const std::int64_t b, BlockSize(call, *x));
  const Shape& s = x->shape;
  const std::int64_t channels = s[1].value() / (b * b);
  if (channels * b * b != s[1].value()) return call.Invalid("its channels do not divide");
  const Shape to = {s[0], Dim(channels), Dim(s[2].value() * b), Dim(s[3].value() * b)};
  const bool is_crd = mode == "CRD";
  const Shape apart = is_crd ? Shape{s[0], Dim(channels), Dim(b), Dim(b), s[2], s[3]}
                             : Shape{s[0], Dim(b), Dim(b), Dim(channels), s[2], s[3]};
  ASSIGN_OR_RETURN(
      Operand result,
      Shuffled(call, *x, apart, is_crd ? Order{0, 1, 4, 2, 5, 3} : Order{0, 3, 4, 1, 5, 2}, to));
  return Single(std::move(result));
}

Outputs TranslateSpaceToDepth(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  ASSIGN_OR_RETURN(const std::int64_t b, BlockSize(call, *x));
  const Shape& s = x->shape;
  const std::int64_t height = s[2].value() / b;
  const std::int64_t width = s[3].value() / b;
  if (height * b != s[2].value() || width * b != s[3].value()) {
    return call.Invalid("its size does not divide");
  }
  ASSIGN_OR_RETURN(
      Operand result,
      Shuffled(call, *x, {s[0], s[1], Dim(height), Dim(b), Dim(width), Dim(b)}, {0, 3, 5, 1, 2, 4},
               {s[0], Dim(s[1].value() * b * b), Dim(height), Dim(width)}));
  return Single(std::move(result));
}

constexpr std::array kOperators = {
    OperatorEntry{"Concat", TranslateConcat},
    OperatorEntry{"DepthToSpace", TranslateDepthToSpace},
    OperatorEntry{"Expand", TranslateExpand},
    OperatorEntry{"Flatten", TranslateFlatten},
    OperatorEntry{"Pad", TranslatePad},
    OperatorEntry{"Reshape", TranslateReshape},
    OperatorEntry{"ReverseSequence", TranslateReverseSequence},
    OperatorEntry{"Slice", TranslateSlice},
    OperatorEntry{"SpaceToDepth", TranslateSpaceToDepth},
    OperatorEntry{"Split", TranslateSplit},
    OperatorEntry{"Squeeze", TranslateSqueeze},
    OperatorEntry{"Tile", TranslateTile},
    OperatorEntry{"Transpose", TranslateTranspose},
    OperatorEntry{"Unsqueeze", TranslateUnsqueeze},
};

}  // namespace

std::span<const OperatorEntry> ShapeOperators() { return kOperators; }

}  // namespace octet::onnx
