// SPDX-License-Identifier: Apache-2.0
// What takes parts of a tensor.

#include <algorithm>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/tflite/translators.h"

namespace octet::tflite {
namespace {

using Ints = std::vector<std::int64_t>;

// Beyond any end, as the graph's Slice has it.
constexpr std::int64_t kBeyond = std::int64_t{1} << 60;

// The parts of each axis but the batch's.
struct Parts {
  Ints axes, starts, ends, steps;

  void Add(std::int64_t axis, std::int64_t start, std::int64_t end, std::int64_t step) {
    axes.push_back(axis);
    starts.push_back(start);
    ends.push_back(end);
    steps.push_back(step);
  }
};

absl::StatusOr<ValueId> Sliced(const OperatorCall& call, ValueId x, const Parts& parts,
                               absl::string_view name = "") {
  if (parts.axes.empty()) return x;
  return call.Emit("Slice", {x},
                   {{"axes", parts.axes},
                    {"starts", parts.starts},
                    {"ends", parts.ends},
                    {"steps", parts.steps}},
                   name);
}

absl::Status TranslateSlice(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(3, 3));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(const Ints begin, call.Integers(1));
  ASSIGN_OR_RETURN(const Ints size, call.Integers(2));
  const std::size_t rank = call.input(0).dims.size();
  if (begin.size() != rank || size.size() != rank || rank == 0) {
    return OperatorCall::Invalid("got ", begin.size(), " begins and ", size.size(), " sizes for ",
                                 rank, " dimensions");
  }
  Parts parts;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool is_whole_batch =
        i == 0 && begin[0] == 0 && (size[0] == -1 || size[0] == call.translation().batch);
    if (is_whole_batch) continue;
    if (i == 0) return OperatorCall::Unimplemented("a part of dimension 0, which is the batch");
    if (begin[i] < 0 || size[i] < -1) {
      return OperatorCall::Invalid("got begin ", ToString(begin), " and size ", ToString(size));
    }
    parts.Add(static_cast<std::int64_t>(i), begin[i], size[i] == -1 ? kBeyond : begin[i] + size[i],
              1);
  }
  ASSIGN_OR_RETURN(value, Sliced(call, value, parts));
  return call.SetOutput(0, value);
}

// One axis of a STRIDED_SLICE.
struct StridedAxis {
  std::int64_t begin, end, stride;
  bool is_begin_open, is_end_open, shrinks;
};

absl::Status AddStrided(const OperatorCall& call, std::size_t axis, const StridedAxis& part,
                        Parts& parts) {
  if (axis == 0) {
    const bool is_whole = (part.is_begin_open || part.begin == 0) && part.stride == 1 &&
                          !part.shrinks &&
                          (part.is_end_open || part.end >= call.translation().batch);
    if (is_whole) return absl::OkStatus();
    return OperatorCall::Unimplemented("a part of dimension 0, which is the batch");
  }
  const auto index = static_cast<std::int64_t>(axis);
  if (part.shrinks) {
    // One element, whatever the end and the stride.
    parts.Add(index, part.begin, part.begin == -1 ? kBeyond : part.begin + 1, 1);
    return absl::OkStatus();
  }
  if (part.stride == 0) return OperatorCall::Invalid("got stride 0");
  const std::int64_t first = part.stride > 0 ? 0 : -1;
  const std::int64_t last = part.stride > 0 ? kBeyond : -kBeyond;
  parts.Add(index, part.is_begin_open ? first : part.begin, part.is_end_open ? last : part.end,
            part.stride);
  return absl::OkStatus();
}

absl::Status TranslateStridedSlice(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(4, 4));
  const auto* const options = call.options<schema::StridedSliceOptions>();
  if (options == nullptr) return NoOptions();
  if (options->ellipsis_mask() != 0 || options->new_axis_mask() != 0 || options->offset()) {
    return OperatorCall::Unimplemented("with ellipsis_mask, new_axis_mask or offset");
  }
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(const Ints begin, call.Integers(1));
  ASSIGN_OR_RETURN(const Ints end, call.Integers(2));
  ASSIGN_OR_RETURN(const Ints strides, call.Integers(3));
  const std::size_t rank = call.input(0).dims.size();
  if (begin.size() > rank || end.size() != begin.size() || strides.size() != begin.size()) {
    return OperatorCall::Invalid("got ", begin.size(), " begins, ", end.size(), " ends and ",
                                 strides.size(), " strides for ", rank, " dimensions");
  }
  Parts parts;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const auto is_set = [i](std::int32_t mask) { return (mask >> i & 1) != 0; };
    RETURN_IF_ERROR(AddStrided(call, i,
                               {.begin = begin[i],
                                .end = end[i],
                                .stride = strides[i],
                                .is_begin_open = is_set(options->begin_mask()),
                                .is_end_open = is_set(options->end_mask()),
                                .shrinks = is_set(options->shrink_axis_mask())},
                               parts));
  }
  const bool shrinks = options->shrink_axis_mask() != 0;
  ASSIGN_OR_RETURN(value, Sliced(call, value, parts, shrinks ? "slice" : ""));
  if (shrinks) {
    ASSIGN_OR_RETURN(value, call.ReshapedAsDeclared(value, 0));
  }
  return call.SetOutput(0, value);
}

absl::Status TranslateReverse(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2));
  ASSIGN_OR_RETURN(ValueId value, call.Activation(0));
  ASSIGN_OR_RETURN(const Ints axes, call.Integers(1));
  Parts parts;
  for (const std::int64_t stored : axes) {
    ASSIGN_OR_RETURN(const std::int64_t axis,
                     OperatorCall::Axis(stored, call.input(0).dims.size()));
    if (std::find(parts.axes.begin(), parts.axes.end(), axis) != parts.axes.end()) {
      return OperatorCall::Invalid("got axis ", axis, " twice");
    }
    parts.Add(axis, -1, -kBeyond, -1);
  }
  ASSIGN_OR_RETURN(value, Sliced(call, value, parts));
  // A converter may declare another quantization for the same bytes, which no kernel minds.
  const TensorType& type = call.graph().TypeOf(value);
  if (type.data_type == DataType::kInt8 && call.IsQuantizedOutput(0)) {
    ASSIGN_OR_RETURN(const TensorQuantization declared, ActivationQuantization(call.output(0)));
    if (type.quantization != declared) {
      ASSIGN_OR_RETURN(Attributes attributes, QuantizationAttributes(call.output(0)));
      ASSIGN_OR_RETURN(value, call.Emit("Reinterpret", {value}, std::move(attributes), "declared"));
    }
  }
  return call.SetOutput(0, value);
}

// Parts of `sizes` elements, one behind the other.
absl::Status SplitInto(OperatorCall& call, ValueId x, std::int64_t axis, const Ints& sizes) {
  std::int64_t start = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Parts parts;
    parts.Add(axis, start, start + sizes[i], 1);
    start += sizes[i];
    ASSIGN_OR_RETURN(const ValueId part, Sliced(call, x, parts, absl::StrCat("part_", i)));
    RETURN_IF_ERROR(call.SetOutput(i, part));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> SplitAxis(const OperatorCall& call, std::size_t input,
                                       std::size_t rank) {
  ASSIGN_OR_RETURN(const Ints axis, call.Integers(input, 1));
  if (axis.size() != 1) return OperatorCall::Invalid("got ", axis.size(), " axes, wants one");
  return OperatorCall::Axis(axis[0], rank);
}

absl::Status TranslateSplit(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(2, 2, call.num_outputs()));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(1));
  const Shape& shape = call.graph().ShapeOf(x);
  ASSIGN_OR_RETURN(const std::int64_t axis, SplitAxis(call, 0, shape.size()));
  const Dim& dim = shape[static_cast<std::size_t>(axis)];
  const auto count = static_cast<std::int64_t>(call.num_outputs());
  if (count == 0 || !dim.is_constant() || dim.value() % count != 0) {
    return OperatorCall::Invalid("got ", Describe(call.input(1)), " for ", count,
                                 " equal parts along dimension ", axis);
  }
  return SplitInto(call, x, axis, Ints(call.num_outputs(), dim.value() / count));
}

absl::Status TranslateSplitV(OperatorCall& call) {
  RETURN_IF_ERROR(call.CheckCounts(3, 3, call.num_outputs()));
  ASSIGN_OR_RETURN(const ValueId x, call.Activation(0));
  const Shape& shape = call.graph().ShapeOf(x);
  ASSIGN_OR_RETURN(const std::int64_t axis, SplitAxis(call, 2, shape.size()));
  ASSIGN_OR_RETURN(Ints sizes, call.Integers(1, call.num_outputs()));
  const Dim& dim = shape[static_cast<std::size_t>(axis)];
  std::int64_t sum = 0;
  std::int64_t* open = nullptr;
  bool is_sane = dim.is_constant() && sizes.size() == call.num_outputs();
  for (std::int64_t& size : sizes) {
    is_sane = is_sane && size >= -1 && (size >= 0 || open == nullptr) && size <= kBeyond / 1024;
    if (size == -1) open = &size;
    if (is_sane && size > 0) sum += size;
  }
  if (is_sane && open != nullptr) *open = dim.value() - sum;
  if (!is_sane || (open == nullptr ? sum != dim.value() : *open < 0)) {
    return OperatorCall::Invalid("got sizes ", ToString(sizes), " for dimension ", axis, " of ",
                                 Describe(call.input(0)), " and ", call.num_outputs(), " outputs");
  }
  return SplitInto(call, x, axis, sizes);
}

}  // namespace

std::vector<Translator> SliceTranslators() {
  return {{45, TranslateStridedSlice},
          {49, TranslateSplit},
          {65, TranslateSlice},
          {102, TranslateSplitV},
          {105, TranslateReverse}};
}

}  // namespace octet::tflite
