// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_movement.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// A result that is larger than its inputs has at most so many elements.
constexpr std::int64_t kMaxGrown = std::int64_t{1} << 24;

std::vector<std::int64_t> Strides(const Dims& dims) {
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// Element indices of a view with `dims` and `strides` that begins at `offset`.
absl::StatusOr<Movement> Walk(NodeCall& call, Dims dims, const std::vector<std::int64_t>& strides,
                              std::int64_t offset, std::int64_t input_elements) {
  if (dims.size() > kMaxRank) return call.Unimplemented("a tensor of more than 8 dimensions");
  const auto count = CheckedNumElements(dims);
  if (!count.ok()) return call.WithNode(count.status());
  if (*count > std::max(kMaxGrown, input_elements)) {
    return absl::ResourceExhaustedError(absl::StrCat(call.node().op_type, " \"", call.name(),
                                                     "\": a constant of ", *count,
                                                     " elements, wants at most ", kMaxGrown));
  }
  Movement movement{std::move(dims), {}, false};
  movement.from.reserve(static_cast<std::size_t>(*count));
  std::vector<std::int64_t> index(movement.dims.size(), 0);
  for (std::int64_t i = 0; i < *count; ++i) {
    movement.from.push_back(offset);
    for (std::size_t d = index.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < movement.dims[d]) break;
      offset -= strides[d] * movement.dims[d];
      index[d] = 0;
    }
  }
  return movement;
}

absl::StatusOr<Movement> Reshaped(NodeCall& call, const Dims& from) {
  std::vector<std::int64_t> to;
  ASSIGN_OR_RETURN(const auto given, call.NumbersOrAttribute(1, "shape"));
  ASSIGN_OR_RETURN(const std::int64_t allows_zero, call.Int("allowzero", 0));
  if (!given.has_value()) return call.Invalid("its shape is absent");
  to = *given;
  std::int64_t known = 1;
  std::int64_t open = -1;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && allows_zero == 0) {
      if (i >= from.size()) return call.Invalid("a 0 in its shape copies no dimension");
      to[i] = from[i];
    }
    if (to[i] == -1 && open >= 0) return call.Invalid("its shape has two dimensions of -1");
    if (to[i] == -1) open = static_cast<std::int64_t>(i);
    if (to[i] < -1) return call.Invalid("its shape has a negative dimension");
    if (to[i] >= 0 && __builtin_mul_overflow(known, to[i], &known)) {
      return call.Invalid("its shape is too large");
    }
  }
  const std::int64_t elements = NumElements(from);
  if (open >= 0) {
    if (known == 0 || elements % known != 0) return call.Invalid("its shape does not fit");
    to[static_cast<std::size_t>(open)] = elements / known;
  } else if (known != elements) {
    return call.Invalid(absl::StrCat("its shape ", ToString(to), " does not fit ", ToString(from)));
  }
  return Movement{to, {}, true};
}

absl::StatusOr<Movement> Flattened(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const std::int64_t axis, call.Int("axis", 1));
  const auto rank = static_cast<std::int64_t>(from.size());
  if (axis < -rank || axis > rank) return call.Invalid("its axis is out of range");
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  const std::span<const std::int64_t> dims(from);
  return Movement{{NumElements(dims.first(at)), NumElements(dims.subspan(at))}, {}, true};
}

absl::StatusOr<Movement> Transposed(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const Order order, PermutationOf(call, from.size()));
  const std::vector<std::int64_t> strides = Strides(from);
  Dims dims;
  std::vector<std::int64_t> moved;
  for (const std::size_t at : order) {
    dims.push_back(from[at]);
    moved.push_back(strides[at]);
  }
  return Walk(call, std::move(dims), moved, 0, NumElements(from));
}

absl::StatusOr<Movement> Sliced(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const SliceParts parts, SlicePartsOf(call, from.size()));
  std::vector<std::int64_t> strides = Strides(from);
  Dims dims = from;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < parts.axes.size(); ++i) {
    const std::size_t axis = parts.axes[i];
    const SliceRange range =
        ResolveSlice(from[axis], parts.starts[i], parts.ends[i], parts.steps[i]);
    offset += range.start * strides[axis];
    dims[axis] = range.length;
    strides[axis] *= range.length > 1 ? parts.steps[i] : 0;
  }
  return Walk(call, std::move(dims), strides, offset, NumElements(from));
}

absl::StatusOr<Movement> Gathered(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, from.size()));
  ASSIGN_OR_RETURN(const ConstantTensor indices, call.Constant(1, "indices"));
  if (!IsInteger(indices.data_type())) return call.Invalid("its indices are no integers");
  std::vector<std::int64_t> numbers = Int64Elements(indices);
  const std::span<const std::int64_t> all(from);
  const std::int64_t outer = NumElements(all.first(axis));
  const std::int64_t inner = NumElements(all.subspan(axis + 1));
  Dims dims(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), from.begin() + static_cast<std::ptrdiff_t>(axis) + 1, from.end());
  const auto count = CheckedNumElements(dims);
  if (!count.ok()) return call.WithNode(count.status());
  if (*count > std::max(kMaxGrown, NumElements(from)) || dims.size() > kMaxRank) {
    return absl::ResourceExhaustedError(absl::StrCat(call.node().op_type, " \"", call.name(),
                                                     "\": a constant of ", *count, " elements"));
  }
  for (std::int64_t& number : numbers) {
    if (number < -from[axis] || number >= from[axis]) {
      return call.Invalid(absl::StrCat("index ", number, " of an axis of ", from[axis]));
    }
    if (number < 0) number += from[axis];
  }
  Movement movement{std::move(dims), {}, false};
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t number : numbers) {
      for (std::int64_t i = 0; i < inner; ++i) {
        movement.from.push_back((o * from[axis] + number) * inner + i);
      }
    }
  }
  return movement;
}

absl::StatusOr<Movement> Joined(NodeCall& call, const std::vector<Dims>& inputs) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", call.opset() < 4 ? 1 : -100));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, inputs[0].size()));
  Dims dims = inputs[0];
  dims[axis] = 0;
  for (const Dims& input : inputs) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (input.size() != dims.size() || (i != axis && input[i] != dims[i])) {
        return call.Invalid(absl::StrCat("joins ", ToString(input), " to ", ToString(inputs[0]),
                                         " along axis ", axis));
      }
    }
    dims[axis] += input[axis];
  }
  const std::int64_t outer = NumElements(std::span(dims).first(axis));
  Movement movement{dims, {}, false};
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t begin = 0;
    for (const Dims& input : inputs) {
      const std::int64_t run = NumElements(std::span(input).subspan(axis));
      for (std::int64_t i = 0; i < run; ++i) movement.from.push_back(begin + o * run + i);
      begin += NumElements(input);
    }
  }
  return movement;
}

absl::StatusOr<Movement> Expanded(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const auto wanted, call.Numbers(1, "shape"));
  const std::size_t rank = std::max(wanted.size(), from.size());
  const std::vector<std::int64_t> old_strides = Strides(from);
  Dims dims(rank, 1);
  std::vector<std::int64_t> strides(rank, 0);
  for (std::size_t back = 1; back <= rank; ++back) {
    const std::int64_t have = back <= from.size() ? from[from.size() - back] : 1;
    const std::int64_t want = back <= wanted.size() ? wanted[wanted.size() - back] : 1;
    if (have != want && have != 1 && want != 1) {
      return call.Invalid(absl::StrCat("stretches ", ToString(from), " to ", ToString(wanted)));
    }
    dims[rank - back] = have == 1 ? want : have;
    if (have != 1) strides[rank - back] = old_strides[from.size() - back];
  }
  return Walk(call, std::move(dims), strides, 0, NumElements(from));
}

absl::StatusOr<Movement> Tiled(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const auto repeats, call.Numbers(1, "repeats"));
  if (repeats.size() != from.size() || 2 * from.size() > kMaxRank) {
    return call.Unimplemented(
        absl::StrCat(repeats.size(), " repeats of ", from.size(), " dimensions"));
  }
  const std::vector<std::int64_t> old_strides = Strides(from);
  Dims pairs;
  Dims dims;
  std::vector<std::int64_t> strides;
  for (std::size_t i = 0; i < from.size(); ++i) {
    pairs.push_back(repeats[i]);
    pairs.push_back(from[i]);
    strides.push_back(0);
    strides.push_back(old_strides[i]);
    std::int64_t dim = 0;
    if (repeats[i] < 0 || __builtin_mul_overflow(repeats[i], from[i], &dim)) {
      return call.Invalid("its repeats are out of range");
    }
    dims.push_back(dim);
  }
  ASSIGN_OR_RETURN(Movement movement, Walk(call, std::move(pairs), strides, 0, NumElements(from)));
  movement.dims = std::move(dims);
  return movement;
}

absl::StatusOr<std::vector<Movement>> SplitUp(NodeCall& call, const Dims& from) {
  ASSIGN_OR_RETURN(const std::int64_t raw_axis, call.Int("axis", 0));
  ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(raw_axis, from.size()));
  ASSIGN_OR_RETURN(const auto sizes, SplitSizes(call, from[axis]));
  std::vector<Movement> parts;
  const std::vector<std::int64_t> strides = Strides(from);
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    Dims dims = from;
    dims[axis] = size;
    ASSIGN_OR_RETURN(Movement part, Walk(call, std::move(dims), strides, start * strides[axis],
                                         NumElements(from)));
    parts.push_back(std::move(part));
    start += size;
  }
  return parts;
}

absl::StatusOr<Movement> OneMovement(NodeCall& call, const std::vector<Dims>& inputs) {
  const std::string& op = call.node().op_type;
  const Dims& from = inputs[0];
  if (op == "Concat") return Joined(call, inputs);
  if (op == "Expand") return Expanded(call, from);
  if (op == "Flatten") return Flattened(call, from);
  if (op == "Gather") return Gathered(call, from);
  if (op == "Reshape") return Reshaped(call, from);
  if (op == "Slice") return Sliced(call, from);
  if (op == "Tile") return Tiled(call, from);
  if (op == "Transpose") return Transposed(call, from);
  Dims dims;
  if (op == "Squeeze") {
    ASSIGN_OR_RETURN(const auto axes, SqueezeAxes(call, ToShape(from)));
    for (std::size_t i = 0; i < from.size(); ++i) {
      const bool is_gone = std::find(axes.begin(), axes.end(), i) != axes.end();
      if (is_gone && from[i] != 1) return call.Invalid("takes away an axis that is not 1");
      if (!is_gone) dims.push_back(from[i]);
    }
    return Movement{std::move(dims), {}, true};
  }
  ASSIGN_OR_RETURN(const auto axes, UnsqueezeAxes(call, from.size()));
  std::size_t next = 0;
  for (std::size_t i = 0; i < from.size() + axes.size(); ++i) {
    const bool is_new = std::find(axes.begin(), axes.end(), i) != axes.end();
    dims.push_back(is_new ? 1 : from[next++]);
  }
  return Movement{std::move(dims), {}, true};
}

}  // namespace

bool MovesElements(const NodeCall& call) {
  constexpr std::array<absl::string_view, 11> kOps = {"Concat",  "Expand",    "Flatten",  "Gather",
                                                      "Reshape", "Slice",     "Split",    "Squeeze",
                                                      "Tile",    "Transpose", "Unsqueeze"};
  return std::find(kOps.begin(), kOps.end(), call.node().op_type) != kOps.end();
}

absl::StatusOr<std::vector<Movement>> MovementsOf(NodeCall& call, const std::vector<Dims>& inputs) {
  if (call.node().op_type == "Split") return SplitUp(call, inputs[0]);
  ASSIGN_OR_RETURN(Movement movement, OneMovement(call, inputs));
  std::vector<Movement> movements;
  movements.push_back(std::move(movement));
  return movements;
}

SliceRange ResolveSlice(std::int64_t size, std::int64_t start, std::int64_t end,
                        std::int64_t step) {
  const auto from_front = [size](std::int64_t index) { return index < 0 ? index + size : index; };
  if (step > 0) {
    const std::int64_t first = std::clamp<std::int64_t>(from_front(start), 0, size);
    const std::int64_t last = std::clamp<std::int64_t>(from_front(end), 0, size);
    return {first, last > first ? (last - first - 1) / step + 1 : 0};
  }
  const std::int64_t first = std::clamp<std::int64_t>(from_front(start), -1, size - 1);
  const std::int64_t last = std::clamp<std::int64_t>(from_front(end), -1, size - 1);
  return {std::max<std::int64_t>(first, 0), first > last ? (first - last - 1) / -step + 1 : 0};
}

absl::StatusOr<SliceParts> SlicePartsOf(NodeCall& call, std::size_t rank) {
  SliceParts parts;
  std::optional<std::vector<std::int64_t>> axes;
  std::optional<std::vector<std::int64_t>> steps;
  if (call.opset() >= 10) {
    ASSIGN_OR_RETURN(parts.starts, call.Numbers(1, "starts"));
    ASSIGN_OR_RETURN(parts.ends, call.Numbers(2, "ends"));
    if (call.Has(3)) {
      ASSIGN_OR_RETURN(axes, call.Numbers(3, "axes"));
    }
    if (call.Has(4)) {
      ASSIGN_OR_RETURN(steps, call.Numbers(4, "steps"));
    }
  } else {
    ASSIGN_OR_RETURN(parts.starts, call.Ints("starts"));
    ASSIGN_OR_RETURN(parts.ends, call.Ints("ends"));
    ASSIGN_OR_RETURN(axes, call.NumbersOrAttribute(99, "axes"));
  }
  const std::size_t count = parts.starts.size();
  if (!axes.has_value()) {
    axes.emplace();
    for (std::size_t i = 0; i < count && i < rank; ++i) {
      axes->push_back(static_cast<std::int64_t>(i));
    }
  }
  parts.steps = steps.value_or(std::vector<std::int64_t>(count, 1));
  if (parts.ends.size() != count || axes->size() != count || parts.steps.size() != count) {
    return call.Invalid(absl::StrCat("got ", count, " starts, ", parts.ends.size(), " ends, ",
                                     axes->size(), " axes and ", parts.steps.size(),
                                     " steps, wants as many of each"));
  }
  ASSIGN_OR_RETURN(const auto sorted, call.Axes(*axes, rank));
  static_cast<void>(sorted);  // each axis is in range and given once
  // Far beyond any size; keeps sums from overflowing.
  constexpr std::int64_t kFar = std::int64_t{1} << 60;
  constexpr std::int64_t kMostStep = std::int64_t{1} << 48;
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const std::size_t axis, call.Axis((*axes)[i], rank));
    parts.axes.push_back(axis);
    parts.starts[i] = std::clamp(parts.starts[i], -kFar, kFar);
    parts.ends[i] = std::clamp(parts.ends[i], -kFar, kFar);
    if (parts.steps[i] == 0) return call.Invalid("a step of 0");
    parts.steps[i] = std::clamp(parts.steps[i], -kMostStep, kMostStep);
  }
  return parts;
}

absl::StatusOr<std::vector<std::int64_t>> SplitSizes(NodeCall& call, std::int64_t size) {
  ASSIGN_OR_RETURN(const auto given, call.NumbersOrAttribute(1, "split"));
  ASSIGN_OR_RETURN(const std::int64_t parts,
                   call.Int("num_outputs", static_cast<std::int64_t>(call.num_outputs())));
  if (given.has_value()) {
    std::int64_t sum = 0;
    for (const std::int64_t part : *given) {
      if (part < 0 || part > size) return call.Invalid(absl::StrCat("a part of ", part));
      sum += part;
    }
    if (sum != size || given->size() != call.num_outputs()) {
      return call.Invalid(absl::StrCat("parts ", ToString(*given), " for an axis of ", size,
                                       " and ", call.num_outputs(), " outputs"));
    }
    return *given;
  }
  if (parts != static_cast<std::int64_t>(call.num_outputs()) || parts < 1) {
    return call.Invalid(absl::StrCat(parts, " parts for ", call.num_outputs(), " outputs"));
  }
  // The last one is smaller where the parts are not equal.
  const std::int64_t each = (size + parts - 1) / parts;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(parts), each);
  sizes.back() = size - each * (parts - 1);
  if (sizes.back() < 0) return call.Invalid(absl::StrCat(parts, " parts of an axis of ", size));
  return sizes;
}

absl::StatusOr<Order> PermutationOf(NodeCall& call, std::size_t rank) {
  std::vector<std::int64_t> reversed;
  for (std::size_t i = rank; i-- > 0;) reversed.push_back(static_cast<std::int64_t>(i));
  ASSIGN_OR_RETURN(const auto permutation, call.Ints("perm", std::move(reversed)));
  ASSIGN_OR_RETURN(const auto different, call.Axes(permutation, rank));
  if (different.size() != rank) return call.Invalid("its permutation has not every axis");
  Order order;
  for (const std::int64_t number : permutation) {
    ASSIGN_OR_RETURN(const std::size_t axis, call.Axis(number, rank));
    order.push_back(axis);
  }
  return order;
}

absl::StatusOr<std::vector<std::size_t>> SqueezeAxes(NodeCall& call, const Shape& shape) {
  ASSIGN_OR_RETURN(const auto given, call.NumbersOrAttribute(1, "axes"));
  if (given.has_value()) return call.Axes(*given, shape.size());
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == Dim(1)) axes.push_back(i);
  }
  return axes;
}

absl::StatusOr<std::vector<std::size_t>> UnsqueezeAxes(NodeCall& call, std::size_t rank) {
  ASSIGN_OR_RETURN(const auto given, call.NumbersOrAttribute(1, "axes"));
  if (!given.has_value()) return call.Invalid("its axes are absent");
  if (given->size() > kMaxRank) return call.Unimplemented("a tensor of more than 8 dimensions");
  return call.Axes(*given, rank + given->size());
}

}  // namespace octet::onnx
