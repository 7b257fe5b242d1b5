// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pool2d.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

absl::StatusOr<SpatialWindow> PoolWindow(const Node& node, const Shape& shape) {
  ASSIGN_OR_RETURN(const auto pool_size, IntsAttribute(node, "pool_size", {}, 2, 1));
  ASSIGN_OR_RETURN(
      const SpatialWindow window,
      SpatialWindowAttributes(node, shape, pool_size[0], pool_size[1], Dilations::kNone));
  for (const AxisWindow* axis : {&window.height, &window.width}) {
    if (axis->pad_before >= axis->kernel || axis->pad_after >= axis->kernel) {
      return InvalidNode(node, "pads of ", axis->pad_before, " and ", axis->pad_after,
                         " for a window of ", axis->kernel,
                         ": some windows would lie outside of the image");
    }
  }
  return window;
}

kernels::Pool2dGeometry MakeGeometry(const SpatialWindow& window, std::int64_t channels) {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  kernels::Pool2dGeometry geometry;
  geometry.in_height = size(window.height.in);
  geometry.in_width = size(window.width.in);
  geometry.channels = size(channels);
  geometry.pool_height = size(window.height.kernel);
  geometry.pool_width = size(window.width.kernel);
  geometry.stride_height = size(window.height.stride);
  geometry.stride_width = size(window.width.stride);
  geometry.pad_top = size(window.height.pad_before);
  geometry.pad_left = size(window.width.pad_before);
  geometry.pad_bottom = size(window.height.pad_after);
  geometry.pad_right = size(window.width.pad_after);
  return geometry;
}

class Pool2d final : public Operator {
 public:
  explicit Pool2d(kernels::PoolKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == kernels::PoolKind::kMax ? "MaxPool2d" : "AveragePool2d";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(inputs.CheckRank(0, "x", 4, 4));
    RETURN_IF_ERROR(inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8}));
    RETURN_IF_ERROR(KnownSize(node, types[0].shape[3]).status());
    ASSIGN_OR_RETURN(const SpatialWindow window, PoolWindow(node, types[0].shape));
    TensorType output = types[0];
    output.shape[1] = Dim(window.height.out);
    output.shape[2] = Dim(window.width.out);
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const Shape& shape = context.inputs[0].shape;
    ASSIGN_OR_RETURN(const SpatialWindow window, PoolWindow(context.node, shape));
    const kernels::Pool2dGeometry geometry = MakeGeometry(window, shape[3].value());
    const kernels::KernelSet& kernels = context.kernels;
    const bool is_int8 = context.inputs[0].data_type == DataType::kInt8;
    return MakeStep(absl::StrCat(std::string(kernels.name), is_int8 ? ":pool2d_s8" : ":pool2d_f32"),
                    [kind = kind_, geometry, is_int8, &kernels](const StepArguments& arguments) {
                      const TensorView& x = arguments.inputs[0];
                      const MutableTensorView& out = arguments.outputs[0];
                      const auto images = static_cast<std::size_t>(x.dims[0]);
                      const std::size_t in_size = images * geometry.InSize();
                      const std::size_t out_size = images * geometry.OutSize();
                      if (is_int8) {
                        kernels.pool2d_s8(geometry, kind, images, {x.as<std::int8_t>(), in_size},
                                          {out.as<std::int8_t>(), out_size});
                      } else {
                        kernels.pool2d_f32(geometry, kind, images, {x.as<float>(), in_size},
                                           {out.as<float>(), out_size});
                      }
                    });
  }

 private:
  const kernels::PoolKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeAveragePool2d() {
  return std::make_unique<const Pool2d>(kernels::PoolKind::kAverage);
}
std::unique_ptr<const Operator> MakeMaxPool2d() {
  return std::make_unique<const Pool2d>(kernels::PoolKind::kMax);
}

}  // namespace octet
