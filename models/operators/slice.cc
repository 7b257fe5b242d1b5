// SPDX-License-Identifier: Apache-2.0

#include "models/operators/slice.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
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

// Whether [::-1] is taken of axis `i`, whatever its size: no tensor has 2^48 elements.
bool IsWholeReversal(const SliceAttributes& attributes, std::size_t i) {
  return attributes.steps[i] == -1 && attributes.starts[i] == -1 &&
         attributes.ends[i] <= -(std::int64_t{1} << 48);
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
        if (IsWholeReversal(attributes, i)) continue;
        return UnimplementedNode(node, "a slice of an open dimension");
      }
      dim = Dim(Resolve(dim.value(), attributes.starts[i], attributes.ends[i], attributes.steps[i])
                    .length);
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(SliceAttributes attributes,
                     Attributes(context.node, context.inputs[0].shape.size()));
    return MakeStep("portable:slice",
                    [attributes = std::move(attributes)](const StepArguments& arguments) {
                      Run(attributes, arguments);
                    });
  }

 private:
  static void Run(const SliceAttributes& attributes, const StepArguments& arguments) {
    const TensorView& x = arguments.inputs[0];
    const MutableTensorView& out = arguments.outputs[0];
    if (NumElements(out.dims) == 0) return;
    auto from_strides = DenseStrides(x.dims);
    const auto to_strides = DenseStrides(out.dims);
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < attributes.axes.size(); ++i) {
      const std::size_t axis = attributes.axes[i];
      const AxisRange range =
          Resolve(x.dims[axis], attributes.starts[i], attributes.ends[i], attributes.steps[i]);
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
};

}  // namespace

std::unique_ptr<const Operator> MakeSlice() { return std::make_unique<const Slice>(); }

}  // namespace octet
