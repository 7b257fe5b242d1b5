// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv3d.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kFilter = 1;  // [kd, kh, kw, C / groups, O]
constexpr std::size_t kBias = 3;

// Each plane of the result is a convolution of one image, whose pixels have the channels of all
// the planes under the filter: group by group, in each plane by plane.
struct VolumeForm {
  VolumeWindow window;
  std::int64_t channels = 0;  // of one plane
  std::int64_t groups = 1;
  std::int64_t out_channels = 0;

  [[nodiscard]] const AxisWindow& depth() const { return window[0]; }
  [[nodiscard]] std::int64_t PlanePixels() const { return window[1].in * window[2].in; }
  [[nodiscard]] std::int64_t PlaneSize() const { return PlanePixels() * channels; }
  // Whether a plane of the input is the image.
  [[nodiscard]] bool IsPlain() const {
    return depth().kernel == 1 && depth().pad_before == 0 && depth().pad_after == 0;
  }
};

absl::StatusOr<VolumeForm> CheckVolume(const Node& node, const NodeInputs& inputs) {
  RETURN_IF_ERROR(inputs.CheckCounts(2, 4));
  RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 5, 5));
  RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckDataType(kFilter, "filter", {DataType::kFloat32}));
  RETURN_IF_ERROR(inputs.CheckConstant(kFilter, "filter"));
  RETURN_IF_ERROR(inputs.CheckRank(kFilter, "filter", 5, 5));
  const Dims& filter = inputs.constant(kFilter)->dims();
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  VolumeForm form;
  ASSIGN_OR_RETURN(form.window,
                   VolumeWindowAttributes(node, inputs.shape(kX), std::span(filter).first(3)));
  ASSIGN_OR_RETURN(form.channels, KnownSize(node, inputs.shape(kX)[4]));
  ASSIGN_OR_RETURN(form.groups, IntAttribute(node, "groups", 1, 1));
  form.out_channels = filter[4];
  if (form.channels % form.groups != 0 || form.out_channels % form.groups != 0 ||
      filter[3] != form.channels / form.groups) {
    return InvalidNode(node, "input \"filter\" is ", ToString(filter), " for ", form.channels,
                       " channels in ", form.groups, " groups");
  }
  // The image's size, which is the scratch's: it may be larger than the input and the filter.
  const auto image = CheckedNumElements(
      Dims{form.window[1].in, form.window[2].in, form.depth().kernel, form.channels});
  RETURN_IF_ERROR(WithNode(node, image.status()));
  if (inputs.Has(kBias)) {
    RETURN_IF_ERROR(
        inputs.CheckConstant(kBias, "bias", DataType::kFloat32, std::array{form.out_channels}));
  }
  return form;
}

kernels::Conv2dGeometry ImageGeometry(const VolumeForm& form) {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  const AxisWindow& height = form.window[1];
  const AxisWindow& width = form.window[2];
  kernels::Conv2dGeometry geometry;
  geometry.in_height = size(height.in);
  geometry.in_width = size(width.in);
  geometry.in_channels = size(form.channels * form.depth().kernel);
  geometry.kernel_height = size(height.kernel);
  geometry.kernel_width = size(width.kernel);
  geometry.out_channels = size(form.out_channels);
  geometry.stride_height = size(height.stride);
  geometry.stride_width = size(width.stride);
  geometry.dilation_height = size(height.dilation);
  geometry.dilation_width = size(width.dilation);
  geometry.pad_top = size(height.pad_before);
  geometry.pad_left = size(width.pad_before);
  geometry.pad_bottom = size(height.pad_after);
  geometry.pad_right = size(width.pad_after);
  geometry.groups = size(form.groups);
  return geometry;
}

// [kd, kh, kw, C / groups, O] as [kh, kw, kd * C / groups, O].
std::vector<float> ImageFilter(const Dims& dims, const std::vector<float>& filter) {
  const std::int64_t depth = dims[0];
  const std::int64_t pixels = dims[1] * dims[2];
  const std::int64_t size = dims[3] * dims[4];
  std::vector<float> result(filter.size());
  for (std::int64_t plane = 0; plane < depth; ++plane) {
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      std::copy_n(filter.begin() + (plane * pixels + pixel) * size, size,
                  result.begin() + (pixel * depth + plane) * size);
    }
  }
  return result;
}

class VolumeStep final : public Step {
 public:
  VolumeStep(const VolumeForm& form, FusedActivation activation,
             std::unique_ptr<const kernels::Conv2dF32> convolution,
             const kernels::KernelSet& kernels)
      : form_(form),
        activation_(activation),
        convolution_(std::move(convolution)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView>) const override {
    ScratchLayout layout;
    layout.Take<float>(ImageSize());
    layout.Take<std::byte>(convolution_->ScratchByteSize(1));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    ScratchLayout layout(arguments.scratch);
    const std::span<float> image = layout.Take<float>(ImageSize());
    kernels::Conv2dF32::Arguments run;
    run.num_images = 1;
    run.scratch = layout.Take<std::byte>(convolution_->ScratchByteSize(1));
    const auto channels = static_cast<std::size_t>(form_.out_channels);
    const auto out_size =
        static_cast<std::size_t>(form_.window[1].out * form_.window[2].out) * channels;
    const float* volume = arguments.inputs[kX].as<float>();
    float* const out = arguments.outputs[0].as<float>();
    const auto planes = static_cast<std::size_t>(arguments.inputs[kX].dims[0] * form_.depth().out);
    run.out = {out, out_size};
    for (std::size_t plane = 0; plane < planes; ++plane) {
      const auto place = static_cast<std::int64_t>(plane) % form_.depth().out;
      run.in = Image(volume, place, image);
      convolution_->Run(run);
      run.out = {run.out.data() + out_size, out_size};
      if (place + 1 == form_.depth().out) volume += form_.depth().in * form_.PlaneSize();
    }
    ApplyOverRows(kernels_, activation_, channels, {out, planes * out_size});
  }

  [[nodiscard]] std::string kernel_name() const override {
    return std::string(convolution_->Provider());
  }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return convolution_->PackedByteSize();
  }

 private:
  [[nodiscard]] std::size_t ImageSize() const {
    return form_.IsPlain() ? 0 : static_cast<std::size_t>(form_.PlaneSize() * form_.depth().kernel);
  }

  // The image that plane `place` of the result is made of; in `image`, where it has to be gathered.
  [[nodiscard]] std::span<const float> Image(const float* volume, std::int64_t place,
                                             std::span<float> image) const {
    const AxisWindow& depth = form_.depth();
    const std::int64_t begin = place * depth.stride - depth.pad_before;
    const auto plane_size = static_cast<std::size_t>(form_.PlaneSize());
    if (form_.IsPlain()) return {volume + begin * form_.PlaneSize(), plane_size};
    for (std::int64_t tap = 0; tap < depth.kernel; ++tap) {
      const std::int64_t plane = begin + tap * depth.dilation;
      const bool is_inside = plane >= 0 && plane < depth.in;
      Spread(is_inside ? volume + plane * form_.PlaneSize() : nullptr, tap, image.data());
    }
    return image;
  }

  // Puts a plane's channels, or zeros for none, into their places among the image's.
  void Spread(const float* plane, std::int64_t tap, float* image) const {
    const std::int64_t run = form_.channels / form_.groups;
    const std::int64_t pitch = run * form_.depth().kernel;
    float* to = image + tap * run;
    const std::int64_t runs = form_.PlanePixels() * form_.groups;
    for (std::int64_t i = 0; i < runs; ++i, to += pitch) {
      if (plane == nullptr) {
        std::fill_n(to, run, 0.0F);
      } else {
        std::copy_n(plane + i * run, run, to);
      }
    }
  }

  const VolumeForm form_;
  const FusedActivation activation_;
  const std::unique_ptr<const kernels::Conv2dF32> convolution_;
  const kernels::KernelSet& kernels_;
};

class Conv3d final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Conv3d"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const VolumeForm form, CheckVolume(node, NodeInputs(node, types, constants)));
    RETURN_IF_ERROR(FusedActivationAttributes(node).status());
    return OneOutput(node, {DataType::kFloat32,
                            {types[kX].shape[0], Dim(form.window[0].out), Dim(form.window[1].out),
                             Dim(form.window[2].out), Dim(form.out_channels)},
                            std::nullopt});
  }

  [[nodiscard]] ProductCount CountProducts(const Node&, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    return {.count = ElementCount(output) * ElementCount(std::span(inputs[kFilter]).first(4))};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(
        const VolumeForm form,
        CheckVolume(context.node, NodeInputs(context.node, context.inputs, context.constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    const ConstantTensor& stored = *context.constants[kFilter];
    const std::vector<float> filter = ImageFilter(stored.dims(), FloatElements(stored));
    std::vector<float> bias;
    if (context.node.HasInput(kBias)) bias = FloatElements(*context.constants[kBias]);
    kernels::Conv2dF32Spec spec;
    spec.geometry = ImageGeometry(form);
    spec.filter = filter;
    spec.bias = bias;
    spec.activation = activation.elementwise;
    auto prepared = context.kernels.prepare_conv2d_f32(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const VolumeStep>(form, activation, std::move(prepared.kernel),
                                              context.kernels);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeConv3d() { return std::make_unique<const Conv3d>(); }

}  // namespace octet
