// SPDX-License-Identifier: Apache-2.0

#include "models/operators/concat.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

constexpr std::size_t kMaxInputs = 4096;

class ConcatStep final : public Step {
 public:
  // Of tensors of `rank` dimensions.
  ConcatStep(std::size_t axis, std::size_t rank) : axis_(axis), row_rank_(rank - axis) {}

  [[nodiscard]] std::size_t InputRowRank(std::size_t) const override { return row_rank_; }
  [[nodiscard]] std::size_t OutputRowRank(std::size_t) const override { return row_rank_; }

  void Run(const StepArguments& arguments) const override {
    const MutableTensorView& out = arguments.outputs[0];
    const std::size_t element_size = BitWidth(out.data_type) / 8;
    const std::int64_t outer = NumElements(out.dims.first(axis_));
    const std::int64_t out_pitch = arguments.output_pitches.At(0, out.dims, row_rank_);
    auto* to = out.as<std::byte>();
    for (std::size_t i = 0; i < arguments.inputs.size(); ++i) {
      const TensorView& x = arguments.inputs[i];
      const std::int64_t run = NumElements(x.dims.last(row_rank_));
      if (x.data != to) {  // else its step wrote it here
        StridedCopy copy;
        copy.Append(outer, arguments.input_pitches.At(i, x.dims, row_rank_), out_pitch);
        copy.Append(run, 1, 1);
        CopyStrided(copy, element_size, x.data, to);
      }
      to += static_cast<std::size_t>(run) * element_size;
    }
  }

  [[nodiscard]] std::string kernel_name() const override { return "portable:concat"; }

 private:
  const std::size_t axis_;
  const std::size_t row_rank_;
};

class Concat final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Concat"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    // All inputs are to be given, so the least count is the actual one.
    RETURN_IF_ERROR(
        inputs.CheckCounts(std::clamp<std::size_t>(types.size(), 1, kMaxInputs), kMaxInputs));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    RETURN_IF_ERROR(inputs.CheckRank(0, "0", 2));
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(node, "axis", inputs.rank(0), 1));
    TensorType output = types[0];
    for (std::size_t i = 1; i < types.size(); ++i) {
      if (types[i].data_type != output.data_type || types[i].quantization != output.quantization) {
        return InvalidNode(node, "input ", i, " has another datatype or quantization than input 0");
      }
      bool fits = inputs.rank(i) == output.shape.size();
      for (std::size_t d = 0; fits && d < output.shape.size(); ++d) {
        fits = d == axis || types[i].shape[d] == output.shape[d];
      }
      if (!fits) {
        return InvalidNode(node, "input ", i, " has shape ", ToString(types[i].shape, {}),
                           ", which does not join ", ToString(types[0].shape, {}), " along axis ",
                           axis);
      }
      auto sum = Dim::Sum(output.shape[axis], types[i].shape[axis]);
      if (!sum.ok()) return WithNode(node, sum.status());
      output.shape[axis] = *sum;
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", context.inputs[0].shape.size(), 1));
    return std::make_unique<const ConcatStep>(axis, context.inputs[0].shape.size());
  }

  [[nodiscard]] std::optional<std::size_t> JoinedAxis(const Node& node,
                                                      std::size_t rank) const override {
    const auto axis = AxisAttribute(node, "axis", rank, 1);
    return axis.ok() ? std::optional(*axis) : std::nullopt;
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeConcat() { return std::make_unique<const Concat>(); }

}  // namespace octet
