// SPDX-License-Identifier: Apache-2.0

#include "models/operators/softmax.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/broadcast.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/strided_copy.h"

namespace octet {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kMask = 1;
constexpr float kMasked = -1e9F;  // Keras's, for float32

// out = mask ? in : value.
void Select(const TensorView& mask, std::span<const std::int64_t> dims, const float* in,
            float value, float* out) {
  ForEachBroadcastRun<1>(dims, {mask.dims},
                         [&](std::int64_t at, const std::array<std::int64_t, 1>& offsets,
                             const std::array<std::int64_t, 1>& steps, std::int64_t count) {
                           const std::uint8_t* keep = mask.as<std::uint8_t>() + offsets[0];
                           for (std::int64_t i = 0; i < count; ++i) {
                             out[at + i] = keep[i * steps[0]] != 0 ? in[at + i] : value;
                           }
                         });
}

// Moves `axis` between its place in `dims` and the end of a dense tensor.
StridedCopy AxisToEnd(std::span<const std::int64_t> dims, std::size_t axis) {
  const auto strides = DenseStrides(dims);
  StridedCopy copy;
  std::int64_t to_stride = NumElements(dims);
  for (std::size_t i = 0; i <= dims.size(); ++i) {
    if (i == axis) continue;
    const std::size_t d = i == dims.size() ? axis : i;
    to_stride = dims[d] == 0 ? 0 : to_stride / dims[d];
    copy.Append(dims[d], strides[d], to_stride);
  }
  return copy;
}

class SoftmaxOperator final : public Operator {
 public:
  explicit SoftmaxOperator(kernels::SoftmaxKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == kernels::SoftmaxKind::kSoftmax ? "Softmax" : "LogSoftmax";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 2));
    RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 2));
    RETURN_IF_ERROR(AxisAttribute(node, "axis", inputs.rank(kX), 1).status());
    if (inputs.Has(kMask)) {
      RETURN_IF_ERROR(inputs.CheckDataType(kMask, "mask", {DataType::kBool}));
      RETURN_IF_ERROR(CheckBroadcastsTo(node, "mask", inputs.shape(kMask), inputs.shape(kX)));
    }
    return OneOutput(node, types[kX]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const std::size_t rank = context.inputs[kX].shape.size();
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(context.node, "axis", rank, 1));
    const bool has_mask = context.node.HasInput(kMask);
    const kernels::KernelSet& kernels = context.kernels;
    return MakeStepWithScratch(
        absl::StrCat(std::string(kernels.name), ":softmax_f32"),
        [this_kind = kind_, axis, has_mask, &kernels](const StepArguments& arguments) {
          Run(this_kind, axis, has_mask, kernels, arguments);
        },
        [axis](std::span<const TensorView> inputs) -> std::size_t {
          if (axis + 1 == inputs[kX].dims.size()) return 0;
          return static_cast<std::size_t>(NumElements(inputs[kX].dims)) * sizeof(float);
        });
  }

  [[nodiscard]] bool IsRowWise(const Node& node, std::span<const TensorType> inputs,
                               std::span<const ConstantTensor* const> constants) const override {
    return IsLastAxis(node, inputs[kX].shape.size()) && BroadcastsByRow(inputs, constants);
  }

 private:
  static void Run(kernels::SoftmaxKind kind, std::size_t axis, bool has_mask,
                  const kernels::KernelSet& kernels, const StepArguments& arguments) {
    const auto dims = arguments.inputs[kX].dims;
    const auto size = static_cast<std::size_t>(NumElements(dims));
    if (size == 0) return;
    const auto row_size = static_cast<std::size_t>(dims[axis]);
    const kernels::SoftmaxShape shape{.num_rows = size / row_size, .row_size = row_size};
    const float* in = arguments.inputs[kX].as<float>();
    float* out = arguments.outputs[0].as<float>();
    if (has_mask) {
      Select(arguments.inputs[kMask], dims, in, kMasked, out);
      in = out;
    }
    if (axis + 1 == dims.size()) {
      kernels.softmax_f32(kind, shape, {in, size}, {out, size});
    } else {
      auto* rows = reinterpret_cast<float*>(arguments.scratch.data());
      StridedCopy copy = AxisToEnd(dims, axis);
      CopyStrided(copy, sizeof(float), in, rows);
      kernels.softmax_f32(kind, shape, {rows, size}, {rows, size});
      std::swap(copy.from_strides, copy.to_strides);
      CopyStrided(copy, sizeof(float), rows, out);
    }
    // A row that is masked from end to end is all 0, as in Keras, and not uniform.
    if (has_mask && kind == kernels::SoftmaxKind::kSoftmax) {
      Select(arguments.inputs[kMask], dims, out, 0.0F, out);
    }
  }

  const kernels::SoftmaxKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeSoftmax() {
  return std::make_unique<const SoftmaxOperator>(kernels::SoftmaxKind::kSoftmax);
}

std::unique_ptr<const Operator> MakeLogSoftmax() {
  return std::make_unique<const SoftmaxOperator>(kernels::SoftmaxKind::kLogSoftmax);
}

}  // namespace octet
