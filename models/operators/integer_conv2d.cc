// SPDX-License-Identifier: Apache-2.0

#include "models/operators/integer_conv2d.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/integer_products.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

using Input = IntegerProductInput;

absl::StatusOr<kernels::Conv2dGeometry> GeometryOf(const Node& node, const Shape& x,
                                                   const Dims& filter) {
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  for (const std::size_t axis : {1U, 2U}) RETURN_IF_ERROR(KnownSize(node, x[axis]).status());
  ASSIGN_OR_RETURN(const std::int64_t channels, KnownSize(node, x[3]));
  ASSIGN_OR_RETURN(const SpatialWindow window,
                   SpatialWindowAttributes(node, x, filter[0], filter[1], Dilations::kAllowed));
  ASSIGN_OR_RETURN(const std::int64_t groups, IntAttribute(node, "groups", 1, 1));
  if (channels % groups != 0 || filter[3] % groups != 0 || filter[2] != channels / groups) {
    return InvalidNode(node, "input \"filter\" is ", ToString(filter), " for ", channels,
                       " channels in ", groups, " groups");
  }
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  return kernels::Conv2dGeometry{.in_height = size(window.height.in),
                                 .in_width = size(window.width.in),
                                 .in_channels = size(channels),
                                 .kernel_height = size(window.height.kernel),
                                 .kernel_width = size(window.width.kernel),
                                 .out_channels = size(filter[3]),
                                 .stride_height = size(window.height.stride),
                                 .stride_width = size(window.width.stride),
                                 .dilation_height = size(window.height.dilation),
                                 .dilation_width = size(window.width.dilation),
                                 .pad_top = size(window.height.pad_before),
                                 .pad_left = size(window.width.pad_before),
                                 .pad_bottom = size(window.height.pad_after),
                                 .pad_right = size(window.width.pad_after),
                                 .groups = size(groups)};
}

// The same over images that bring their padding along.
kernels::Conv2dGeometry WithPadsInside(kernels::Conv2dGeometry geometry) {
  geometry.in_height += geometry.pad_top + geometry.pad_bottom;
  geometry.in_width += geometry.pad_left + geometry.pad_right;
  geometry.pad_top = geometry.pad_bottom = geometry.pad_left = geometry.pad_right = 0;
  return geometry;
}

// Images whose zero point is known at load.
class FixedStep final : public Step {
 public:
  FixedStep(const kernels::Conv2dGeometry& geometry, bool is_unsigned,
            std::unique_ptr<const kernels::Conv2dS8> convolution)
      : geometry_(geometry), is_unsigned_(is_unsigned), convolution_(std::move(convolution)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    const auto images = static_cast<std::size_t>(inputs[Input::kX].dims[0]);
    ScratchLayout layout;
    if (is_unsigned_) layout.Take<std::int8_t>(images * geometry_.InSize());
    layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[Input::kX];
    const auto images = static_cast<std::size_t>(x.dims[0]);
    ScratchLayout layout(arguments.scratch);
    std::span<std::int8_t> shifted;
    if (is_unsigned_) shifted = layout.Take<std::int8_t>(images * geometry_.InSize());
    kernels::Conv2dS8::Arguments run;
    run.num_images = images;
    run.in = AsInt8(x, is_unsigned_, shifted);
    run.out.s32 = {arguments.outputs[0].as<std::int32_t>(), images * geometry_.OutSize()};
    run.scratch = layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    convolution_->Run(run);
  }

  [[nodiscard]] bool is_exact() const override { return true; }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(convolution_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kXZeroPoint;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return convolution_->PackedByteSize();
  }

 private:
  const kernels::Conv2dGeometry geometry_;
  const bool is_unsigned_;
  const std::unique_ptr<const kernels::Conv2dS8> convolution_;
};

// Images that bring their zero point: they are padded with it, so that a sum over a window is
// always one over the whole filter, and what the zero point added to it is known.
class PaddedStep final : public Step {
 public:
  PaddedStep(const kernels::Conv2dGeometry& geometry, bool is_unsigned,
             std::vector<std::int32_t> filter_sums,
             std::unique_ptr<const kernels::Conv2dS8> convolution)
      : geometry_(geometry),
        padded_(WithPadsInside(geometry)),
        is_unsigned_(is_unsigned),
        filter_sums_(std::move(filter_sums)),
        convolution_(std::move(convolution)) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    const auto images = static_cast<std::size_t>(inputs[Input::kX].dims[0]);
    ScratchLayout layout;
    layout.Take<std::int8_t>(images * padded_.InSize());
    layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[Input::kX];
    const TensorView& zero_points = arguments.inputs[Input::kXZeroPoint];
    const auto images = static_cast<std::size_t>(x.dims[0]);
    ScratchLayout layout(arguments.scratch);
    const std::span<std::int8_t> padded = layout.Take<std::int8_t>(images * padded_.InSize());
    const std::size_t per_image = NumElements(zero_points.dims) == 1 ? 0 : 1;
    for (std::size_t image = 0; image < images; ++image) {
      Pad(x.as<std::int8_t>() + image * geometry_.InSize(),
          zero_points.as<std::int8_t>()[image * per_image],
          padded.data() + image * padded_.InSize());
    }
    kernels::Conv2dS8::Arguments run;
    run.num_images = images;
    run.in = padded;
    run.out.s32 = {arguments.outputs[0].as<std::int32_t>(), images * geometry_.OutSize()};
    run.scratch = layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    convolution_->Run(run);
    SubtractZeroPoints(zero_points, is_unsigned_, filter_sums_, run.out.s32);
  }

  [[nodiscard]] bool is_exact() const override { return true; }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(convolution_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override {
    return index == Input::kX || index == Input::kXZeroPoint;
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return convolution_->PackedByteSize();
  }

 private:
  void Pad(const std::int8_t* image, std::int8_t zero_point, std::int8_t* out) const {
    const std::size_t row = geometry_.in_width * geometry_.in_channels;
    const std::size_t padded_row = padded_.in_width * padded_.in_channels;
    const auto flip = static_cast<std::int8_t>(is_unsigned_ ? -128 : 0);
    std::fill_n(out, padded_.InSize(), static_cast<std::int8_t>(zero_point ^ flip));
    out += geometry_.pad_top * padded_row + geometry_.pad_left * geometry_.in_channels;
    for (std::size_t y = 0; y < geometry_.in_height; ++y) {
      std::transform(image + y * row, image + (y + 1) * row, out + y * padded_row,
                     [flip](std::int8_t byte) { return static_cast<std::int8_t>(byte ^ flip); });
    }
  }

  const kernels::Conv2dGeometry geometry_;
  const kernels::Conv2dGeometry padded_;
  const bool is_unsigned_;
  const std::vector<std::int32_t> filter_sums_;
  const std::unique_ptr<const kernels::Conv2dS8> convolution_;
};

class IntegerConv2d final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "IntegerConv2d"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(2, Input::kCount));
    RETURN_IF_ERROR(inputs.CheckRank(Input::kX, "x", 4, 4));
    RETURN_IF_ERROR(inputs.CheckRank(Input::kWeight, "filter", 4, 4));
    RETURN_IF_ERROR(
        inputs.CheckDataType(Input::kWeight, "filter", {DataType::kInt8, DataType::kUint8}));
    RETURN_IF_ERROR(inputs.CheckConstant(Input::kWeight, "filter"));
    const Dims& filter = inputs.constant(Input::kWeight)->dims();
    const Shape& x = types[Input::kX].shape;
    ASSIGN_OR_RETURN(const kernels::Conv2dGeometry geometry, GeometryOf(node, x, filter));
    RETURN_IF_ERROR(CheckIntegerProduct(node, inputs, filter[3], 1));
    return OneOutput(node, {DataType::kInt32,
                            {x[0], Dim(static_cast<std::int64_t>(geometry.OutHeight())),
                             Dim(static_cast<std::int64_t>(geometry.OutWidth())), Dim(filter[3])},
                            std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    const double window = ElementCount(std::span(inputs[Input::kWeight]).first(3));
    return {.count = ElementCount(output) * window, .are_integer = true};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const Dims& filter = context.constants[Input::kWeight]->dims();
    ASSIGN_OR_RETURN(const kernels::Conv2dGeometry geometry,
                     GeometryOf(context.node, context.inputs[Input::kX].shape, filter));
    ASSIGN_OR_RETURN(ProductWeights weights, MakeProductWeights(context, geometry.out_channels));
    const std::optional<std::int32_t> zero_point = FixedZeroPoint(context);
    kernels::Conv2dS8Spec spec;
    spec.geometry = zero_point.has_value() ? geometry : WithPadsInside(geometry);
    spec.filter = weights.values;
    spec.filter_zero_point = weights.zero_point;
    spec.in_zero_point = kernels::ZeroPoint{zero_point.value_or(0)};
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.conv2d_s8_implementations(spec));
    auto prepared = context.kernels.prepare_conv2d_s8(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    const bool is_unsigned = context.inputs[Input::kX].data_type == DataType::kUint8;
    if (zero_point.has_value()) {
      return std::make_unique<const FixedStep>(geometry, is_unsigned, std::move(prepared.kernel));
    }
    return std::make_unique<const PaddedStep>(geometry, is_unsigned, std::move(weights.sums),
                                              std::move(prepared.kernel));
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeIntegerConv2d() {
  return std::make_unique<const IntegerConv2d>();
}

}  // namespace octet
