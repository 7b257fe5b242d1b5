// SPDX-License-Identifier: Apache-2.0

#include "models/operators/pool2d.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
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

class PoolStep final : public Step {
 public:
  PoolStep(const SpatialWindow& window, kernels::PoolKind kind, const kernels::KernelSet& kernels,
           DataType data_type)
      : window_(window), kind_(kind), kernels_(kernels), data_type_(data_type) {}

  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    const TensorView& x = inputs[0];
    return window_.is_open ? window_.CheckSize(x.dims[1], x.dims[2]) : absl::OkStatus();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[0];
    const MutableTensorView& out = arguments.outputs[0];
    const kernels::Pool2dGeometry geometry =
        MakeGeometry(window_.is_open ? window_.For(x.dims[1], x.dims[2]) : window_, x.dims[3]);
    const auto images = static_cast<std::size_t>(x.dims[0]);
    const std::size_t in_size = images * geometry.InSize();
    const std::size_t out_size = images * geometry.OutSize();
    if (data_type_ == DataType::kInt16) {
      kernels_.pool2d_s16(geometry, kind_, images, {x.as<std::int16_t>(), in_size},
                          {out.as<std::int16_t>(), out_size});
    } else if (data_type_ == DataType::kInt8) {
      kernels_.pool2d_s8(geometry, kind_, images, {x.as<std::int8_t>(), in_size},
                         {out.as<std::int8_t>(), out_size});
    } else {
      kernels_.pool2d_f32(geometry, kind_, images, {x.as<float>(), in_size},
                          {out.as<float>(), out_size});
    }
  }

  [[nodiscard]] std::string kernel_name() const override {
    const absl::string_view family = data_type_ == DataType::kInt16  ? ":pool2d_s16"
                                     : data_type_ == DataType::kInt8 ? ":pool2d_s8"
                                                                     : ":pool2d_f32";
    return absl::StrCat(std::string(kernels_.name), family);
  }

 private:
  const SpatialWindow window_;
  const kernels::PoolKind kind_;
  const kernels::KernelSet& kernels_;
  const DataType data_type_;  // float32, int8 or int16
};

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
    RETURN_IF_ERROR(
        inputs.CheckDataType(0, "x", {DataType::kFloat32, DataType::kInt8, DataType::kInt16}));
    RETURN_IF_ERROR(KnownSize(node, types[0].shape[3]).status());
    ASSIGN_OR_RETURN(const SpatialWindow window, PoolWindow(node, types[0].shape));
    TensorType output = types[0];
    output.shape[1] = window.out_height;
    output.shape[2] = window.out_width;
    RETURN_IF_ERROR(Kind(node, types[0].data_type).status());
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const SpatialWindow window, PoolWindow(context.node, context.inputs[0].shape));
    const DataType data_type = context.inputs[0].data_type;
    ASSIGN_OR_RETURN(const kernels::PoolKind kind, Kind(context.node, data_type));
    return std::make_unique<const PoolStep>(window, kind, context.kernels, data_type);
  }

 private:
  // With the attribute `rounding`.
  [[nodiscard]] absl::StatusOr<kernels::PoolKind> Kind(const Node& node, DataType x) const {
    ASSIGN_OR_RETURN(const std::string rounding,
                     NameAttribute(node, "rounding", "half_away", {"half_away", "half_up"}));
    if (rounding == "half_away") return kind_;
    if (kind_ == kernels::PoolKind::kAverage && x != DataType::kFloat32) {
      return kernels::PoolKind::kAverageHalfUp;
    }
    return UnimplementedNode(node, "rounding of what is not an average of integers");
  }

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
