// SPDX-License-Identifier: Apache-2.0

#include "models/operators/slice.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

// The part of one axis that is taken: `length` elements from `start` on, `step` apart.
struct AxisRange {
  std::int64_t start = 0;
  std::int64_t length = 0;
  std::int64_t step = 1;
};

struct SliceAttributes {
  std::vector<std::size_t> axes;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> steps;
};

// What NumPy takes of `size` elements for [start:end:step].
AxisRange Resolve(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  const auto from_front = [size](std::int64_t index) { return index < 0 ? index + size : index; };
  if (step > 0) {
    const std::int64_t first = std::clamp<std::int64_t>(from_front(start), 0, size);
    const std::int64_t last = std::clamp<std::int64_t>(from_front(end), 0, size);
    return {first, last > first ? (last - first - 1) / step + 1 : 0, step};
  }
  const std::int64_t first = std::clamp<std::int64_t>(from_front(start), -1, size - 1);
  // An end before the beginning (below -size) means that element 0 is taken too.
  const std::int64_t last = std::clamp<std::int64_t>(from_front(end), -1, size - 1);
  return {first, first > last ? (first - last - 1) / -step + 1 : 0, step};
}

absl::StatusOr<SliceAttributes> Attributes(const Node& node, std::size_t rank) {
  SliceAttributes result;
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes, node.Ints("axes", {}));
  ASSIGN_OR_RETURN(result.starts, node.Ints("starts", {}));
  ASSIGN_OR_RETURN(result.ends, node.Ints("ends", {}));
  ASSIGN_OR_RETURN(result.steps, node.Ints("steps", std::vector<std::int64_t>(
                                                        std::min(axes.size(), kMaxRank), 1)));
  const std::size_t count = axes.size();
  if (count == 0 || count > rank || result.starts.size() != count || result.ends.size() != count ||
      result.steps.size() != count) {
    return InvalidNode(node, "got ", count, " axes, ", result.starts.size(), " starts, ",
                       result.ends.size(), " ends and ", result.steps.size(),
                       " steps, wants as many of each, from 1 to ", rank);
  }
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const std::size_t axis, NormalizedAxis(node, axes[i], rank, 1));
    if (std::find(result.axes.begin(), result.axes.end(), axis) != result.axes.end()) {
      return InvalidNode(node, "attribute \"axes\" repeats axis ", axis);
    }
    result.axes.push_back(axis);
    constexpr std::int64_t kMostStep = std::int64_t{1} << 48;
    if (result.steps[i] == 0 || result.steps[i] > kMostStep || result.steps[i] < -kMostStep) {
      return InvalidNode(node, "attribute \"steps\" holds ", result.steps[i]);
    }
    // Far beyond any size; keeps the sums below from overflowing.
    constexpr std::int64_t kFar = std::int64_t{1} << 60;
    result.starts[i] = std::clamp(result.starts[i], -kFar, kFar);
    result.ends[i] = std::clamp(result.ends[i], -kFar, kFar);
  }
  return result;
}

// No tensor has as many elements: an end from here on is the axis's own.
constexpr std::int64_t kBeyond = std::int64_t{1} << 48;

// Whether [::-1] is taken of axis `i`, whatever its size.
bool IsWholeReversal(const SliceAttributes& attributes, std::size_t i) {
  return attributes.steps[i] == -1 && attributes.starts[i] == -1 && attributes.ends[i] <= -kBeyond;
}

// What is taken of an open axis, and the fewest elements that it needs for that: NumPy takes less
// of a shorter one, which no Dim can say.
struct OpenRange {
  Dim length;
  std::int64_t min_size = 0;
};

absl::StatusOr<OpenRange> ResolveOpen(const Node& node, const Dim& dim,
                                      const SliceAttributes& attributes, std::size_t i) {
  const std::int64_t start = attributes.starts[i];
  const std::int64_t end = attributes.ends[i];
  if (IsWholeReversal(attributes, i)) return OpenRange{dim, 0};
  if (attributes.steps[i] == 1 && start > -kBeyond && start < kBeyond && end > -kBeyond) {
    const bool to_the_end = end >= kBeyond;
    if (to_the_end && start < 0) return OpenRange{Dim(-start), -start};
    if (to_the_end || (start >= 0 && end < 0)) {
      const std::int64_t left_out = to_the_end ? start : start - end;
      auto length = dim.Plus(-left_out);
      if (!length.ok()) return WithNode(node, length.status());
      return OpenRange{*length, left_out};
    }
    if ((start < 0) == (end < 0)) {
      return OpenRange{Dim(std::max<std::int64_t>(end - start, 0)),
                       start < 0 ? -start : std::max(start, end)};
    }
  }
  return UnimplementedNode(node, "[", start, ":", end, ":", attributes.steps[i],
                           "] of an open dimension");
}

// Whether all of axis `i` is taken as it is.
bool IsWhole(const Dim& dim, const SliceAttributes& attributes, std::size_t i) {
  if (attributes.steps[i] != 1) return false;
  if (!dim.is_constant()) return attributes.starts[i] == 0 && attributes.ends[i] >= kBeyond;
  const AxisRange range =
      Resolve(dim.value(), attributes.starts[i], attributes.ends[i], attributes.steps[i]);
  return range.start == 0 && range.length == dim.value();
}

// Where what is taken of axis `i` begins, if it is one run of elements.
std::optional<Dim> PartStart(const Dim& dim, const SliceAttributes& attributes, std::size_t i) {
  if (dim.is_constant()) {
    const AxisRange range =
        Resolve(dim.value(), attributes.starts[i], attributes.ends[i], attributes.steps[i]);
    if (range.length == 0 || (range.step != 1 && range.length != 1)) return std::nullopt;
    return Dim(range.start);
  }
  if (attributes.steps[i] != 1) return std::nullopt;
  if (attributes.starts[i] >= 0) return Dim(attributes.starts[i]);
  const auto from_front = dim.Plus(attributes.starts[i]);
  return from_front.ok() ? std::optional(*from_front) : std::nullopt;
}

class SliceStep final : public Step {
 public:
  // `min_sizes`: of each sliced axis.
  SliceStep(SliceAttributes attributes, std::vector<std::int64_t> min_sizes)
      : attributes_(std::move(attributes)), min_sizes_(std::move(min_sizes)) {}

  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    for (std::size_t i = 0; i < min_sizes_.size(); ++i) {
      const std::int64_t size = inputs[0].dims[attributes_.axes[i]];
      if (size < min_sizes_[i]) {
        return absl::InvalidArgumentError(absl::StrCat("axis ", attributes_.axes[i], " has size ",
                                                       size, ", wants at least ", min_sizes_[i]));
      }
    }
    return absl::OkStatus();
  }

  void Run(const StepArguments& arguments) const override;
  [[nodiscard]] std::string kernel_name() const override { return "portable:slice"; }

 private:
  const SliceAttributes attributes_;
  const std::vector<std::int64_t> min_sizes_;
};

void SliceStep::Run(const StepArguments& arguments) const {
  const TensorView& x = arguments.inputs[0];
  const MutableTensorView& out = arguments.outputs[0];
  if (NumElements(out.dims) == 0) return;
  auto from_strides = DenseStrides(x.dims);
  const auto to_strides = DenseStrides(out.dims);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < attributes_.axes.size(); ++i) {
    const std::size_t axis = attributes_.axes[i];
    const AxisRange range =
        Resolve(x.dims[axis], attributes_.starts[i], attributes_.ends[i], attributes_.steps[i]);
    offset += range.start * from_strides[axis];
    from_strides[axis] *= range.length > 1 ? range.step : 0;
  }
  StridedCopy copy;
  for (std::size_t i = 0; i < out.dims.size(); ++i) {
    copy.Append(out.dims[i], from_strides[i], to_strides[i]);
  }
  const std::size_t element_size = BitWidth(x.data_type) / 8;
  CopyStrided(copy, element_size,
              x.as<std::byte>() + offset * static_cast<std::int64_t>(element_size), out.data);
}

class Slice final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Slice"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 2));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    ASSIGN_OR_RETURN(const SliceAttributes attributes, Attributes(node, inputs.rank(0)));
    TensorType output = types[0];
    for (std::size_t i = 0; i < attributes.axes.size(); ++i) {
      Dim& dim = output.shape[attributes.axes[i]];
      if (!dim.is_constant()) {
        ASSIGN_OR_RETURN(const OpenRange range, ResolveOpen(node, dim, attributes, i));
        dim = range.length;
        continue;
      }
      dim = Dim(Resolve(dim.value(), attributes.starts[i], attributes.ends[i], attributes.steps[i])
                    .length);
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const Shape& shape = context.inputs[0].shape;
    ASSIGN_OR_RETURN(SliceAttributes attributes, Attributes(context.node, shape.size()));
    std::vector<std::int64_t> min_sizes;
    for (std::size_t i = 0; i < attributes.axes.size(); ++i) {
      const Dim& dim = shape[attributes.axes[i]];
      OpenRange range{dim, 0};
      if (!dim.is_constant()) {
        ASSIGN_OR_RETURN(range, ResolveOpen(context.node, dim, attributes, i));
      }
      min_sizes.push_back(range.min_size);
    }
    return std::make_unique<const SliceStep>(std::move(attributes), std::move(min_sizes));
  }

  [[nodiscard]] std::optional<AxisOffset> PartOfInput(const Node& node,
                                                      const Shape& input) const override {
    const auto attributes = Attributes(node, input.size());
    if (!attributes.ok()) return std::nullopt;
    std::optional<AxisOffset> part;
    for (std::size_t i = 0; i < attributes->axes.size(); ++i) {
      const std::size_t axis = attributes->axes[i];
      if (IsWhole(input[axis], *attributes, i)) continue;
      const std::optional<Dim> start = PartStart(input[axis], *attributes, i);
      if (part.has_value() || !start.has_value()) return std::nullopt;
      part = AxisOffset{axis, *start};
    }
    return part;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeSlice() { return std::make_unique<const Slice>(); }

}  // namespace octet
