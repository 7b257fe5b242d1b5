// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv3d.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "models/base/status_macros.h"
#include "models/graph/product_counts.h"
#include "models/operators/convolution_filter.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"
#include "models/operators/scratch_layout.h"
#include "models/operators/spatial_window.h"

namespace octet {
namespace {

using Inputs = ConvolutionInputs;

// Each plane of the result is a convolution of one image, whose pixels have the channels of all
// the planes under the filter: group by group, in each plane by plane.
struct VolumeForm {
  VolumeWindow window;
  ActivationQuantization quantization = ActivationQuantization::kNone;
  std::int64_t channels = 0;  // of one plane
  std::int64_t groups = 1;
  std::int64_t out_channels = 0;

  [[nodiscard]] const AxisWindow& depth() const { return window[0]; }
  [[nodiscard]] std::int64_t PlanePixels() const { return window[1].in * window[2].in; }
  [[nodiscard]] std::int64_t PlaneSize() const { return PlanePixels() * channels; }
  [[nodiscard]] std::int64_t VolumeSize() const { return depth().in * PlaneSize(); }
  [[nodiscard]] std::int64_t OutPlaneSize() const {
    return window[1].out * window[2].out * out_channels;
  }
  // Whether a plane of the input is the image.
  [[nodiscard]] bool IsPlain() const {
    return depth().kernel == 1 && depth().pad_before == 0 && depth().pad_after == 0;
  }
};

absl::StatusOr<VolumeForm> CheckVolume(const Node& node, const NodeInputs& inputs) {
  RETURN_IF_ERROR(inputs.CheckCounts(2, Inputs::kCount));
  RETURN_IF_ERROR(inputs.CheckRank(Inputs::kX, "x", 5, 5));
  RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kX, "x", {DataType::kFloat32, DataType::kInt8}));
  RETURN_IF_ERROR(inputs.CheckRank(Inputs::kFilter, "filter", 5, 5));
  RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kFilter, "filter",
                                       {DataType::kFloat32, DataType::kInt8, DataType::kUint8}));
  RETURN_IF_ERROR(inputs.CheckConstant(Inputs::kFilter, "filter"));
  const Dims& filter = inputs.constant(Inputs::kFilter)->dims();  // [kd, kh, kw, C / groups, O]
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  VolumeForm form;
  ASSIGN_OR_RETURN(form.window, VolumeWindowAttributes(node, inputs.shape(Inputs::kX),
                                                       std::span(filter).first(3)));
  ASSIGN_OR_RETURN(form.channels, KnownSize(node, inputs.shape(Inputs::kX)[4]));
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
  ASSIGN_OR_RETURN(form.quantization, ActivationQuantizationAttribute(node));
  RETURN_IF_ERROR(CheckConvolutionWeights(node, inputs, form.out_channels, form.quantization));
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
template <typename T>
std::vector<T> ImageFilter(const Dims& dims, const std::vector<T>& filter) {
  const std::int64_t depth = dims[0];
  const std::int64_t pixels = dims[1] * dims[2];
  const std::int64_t size = dims[3] * dims[4];
  std::vector<T> result(filter.size());
  for (std::int64_t plane = 0; plane < depth; ++plane) {
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      std::copy_n(filter.begin() + (plane * pixels + pixel) * size, size,
                  result.begin() + (pixel * depth + plane) * size);
    }
  }
  return result;
}

// What a step is made of beside its kernel.
struct VolumeParts {
  VolumeForm form;
  FusedActivation activation;
  std::optional<kernels::RowQuantizeSpec> rows;  // PTDQ: each volume for itself
  std::int8_t zero = 0;                          // what stands for real 0 in integers
};

template <typename Kernel, typename T>
class VolumeStep final : public Step {
 public:
  VolumeStep(const VolumeParts& parts, std::unique_ptr<const Kernel> convolution,
             const kernels::KernelSet& kernels)
      : form_(parts.form),
        activation_(parts.activation),
        rows_(parts.rows),
        zero_(static_cast<T>(parts.zero)),
        convolution_(std::move(convolution)),
        kernels_(kernels) {}

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView>) const override {
    ScratchLayout layout;
    TakeScratch(layout);
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    ScratchLayout layout(arguments.scratch);
    const Scratch scratch = TakeScratch(layout);
    const TensorView& x = arguments.inputs[Inputs::kX];
    MutableTensorView out = arguments.outputs[0];
    const auto volume_out = static_cast<std::size_t>(form_.depth().out * form_.OutPlaneSize());
    const std::size_t out_bytes = volume_out * BitWidth(out.data_type) / 8;
    const auto* from = x.as<std::byte>();
    const std::size_t in_bytes =
        static_cast<std::size_t>(form_.VolumeSize()) * BitWidth(x.data_type) / 8;
    for (std::int64_t n = 0; n < x.dims[0]; ++n, from += in_bytes) {
      typename Kernel::Arguments run;
      run.num_images = 1;
      run.scratch = scratch.kernel;
      RunVolume(Volume(from, scratch, run), scratch.image, out, run);
      out.data = out.as<std::byte>() + out_bytes;
    }
    if (out.data_type != DataType::kFloat32) return;
    ApplyOverRows(
        kernels_, activation_, static_cast<std::size_t>(form_.out_channels),
        {arguments.outputs[0].as<float>(), static_cast<std::size_t>(x.dims[0]) * volume_out});
  }

  [[nodiscard]] bool is_exact() const override {
    return !kIsFloat && !activation_.over_rows.has_value();
  }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(convolution_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override { return index == Inputs::kX; }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return convolution_->PackedByteSize();
  }

 private:
  static constexpr bool kIsFloat = std::is_same_v<T, float>;

  struct Scratch {
    std::span<T> image;
    std::span<std::int8_t> quantized;
    std::span<float> scale;
    std::span<std::byte> kernel;
  };
  Scratch TakeScratch(ScratchLayout& layout) const {
    const auto size = [](bool is_used, std::int64_t count) {
      return is_used ? static_cast<std::size_t>(count) : 0;
    };
    Scratch scratch;
    scratch.image =
        layout.Take<T>(size(!form_.IsPlain(), form_.PlaneSize() * form_.depth().kernel));
    scratch.quantized = layout.Take<std::int8_t>(size(rows_.has_value(), form_.VolumeSize()));
    scratch.scale = layout.Take<float>(size(rows_.has_value(), 1));
    scratch.kernel = layout.Take<std::byte>(convolution_->ScratchByteSize(1));
    return scratch;
  }

  // The volume at `from` as the kernel takes it.
  const T* Volume(const std::byte* from, const Scratch& scratch,
                  typename Kernel::Arguments& run) const {
    if constexpr (!kIsFloat) {
      if (rows_.has_value()) {
        kernels::RowQuantizeSpec rows = *rows_;
        rows.num_rows = 1;
        rows.row_size = scratch.quantized.size();
        kernels_.quantize_rows_s8(rows,
                                  {reinterpret_cast<const float*>(from), scratch.quantized.size()},
                                  scratch.quantized, scratch.scale);
        run.row_scale = scratch.scale;
        return scratch.quantized.data();
      }
    }
    return reinterpret_cast<const T*>(from);
  }

  // One volume's planes, one after the other.
  void RunVolume(const T* volume, std::span<T> image, MutableTensorView out,
                 typename Kernel::Arguments& run) const {
    const auto out_size = static_cast<std::size_t>(form_.OutPlaneSize());
    for (std::int64_t place = 0; place < form_.depth().out; ++place) {
      run.in = Image(volume, place, image);
      if constexpr (kIsFloat) {
        run.out = {out.as<float>(), out_size};
      } else {
        SetOutput(out, out_size, run.out);
      }
      convolution_->Run(run);
      out.data = out.as<std::byte>() + out_size * BitWidth(out.data_type) / 8;
    }
  }

  // The image that plane `place` of the result is made of; in `image`, where it has to be gathered.
  std::span<const T> Image(const T* volume, std::int64_t place, std::span<T> image) const {
    const AxisWindow& depth = form_.depth();
    const std::int64_t begin = place * depth.stride - depth.pad_before;
    if (form_.IsPlain()) {
      return {volume + begin * form_.PlaneSize(), static_cast<std::size_t>(form_.PlaneSize())};
    }
    for (std::int64_t tap = 0; tap < depth.kernel; ++tap) {
      const std::int64_t plane = begin + tap * depth.dilation;
      const bool is_inside = plane >= 0 && plane < depth.in;
      Spread(is_inside ? volume + plane * form_.PlaneSize() : nullptr, tap, image.data());
    }
    return image;
  }

  // Puts a plane's channels, or zeros for none, into their places among the image's.
  void Spread(const T* plane, std::int64_t tap, T* image) const {
    const std::int64_t run = form_.channels / form_.groups;
    const std::int64_t pitch = run * form_.depth().kernel;
    T* to = image + tap * run;
    const std::int64_t runs = form_.PlanePixels() * form_.groups;
    for (std::int64_t i = 0; i < runs; ++i, to += pitch) {
      if (plane == nullptr) {
        std::fill_n(to, run, zero_);
      } else {
        std::copy_n(plane + i * run, run, to);
      }
    }
  }

  const VolumeForm form_;
  const FusedActivation activation_;
  const std::optional<kernels::RowQuantizeSpec> rows_;
  const T zero_;
  const std::unique_ptr<const Kernel> convolution_;
  const kernels::KernelSet& kernels_;
};

class Conv3d final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Conv3d"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const VolumeForm form, CheckVolume(node, NodeInputs(node, types, constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(node));
    const Shape shape = {types[Inputs::kX].shape[0], Dim(form.window[0].out),
                         Dim(form.window[1].out), Dim(form.window[2].out), Dim(form.out_channels)};
    TensorType output{DataType::kFloat32, shape, std::nullopt};
    if (form.quantization == ActivationQuantization::kStatic) {
      ASSIGN_OR_RETURN(output, StaticOutputType(node, shape, DataType::kInt8));
      if (output.quantization.has_value()) {
        RETURN_IF_ERROR(StaticClipRange(node, activation, output).status());
      }
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] ProductCount CountProducts(const Node& node, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    return {
        .count = ElementCount(output) * ElementCount(std::span(inputs[Inputs::kFilter]).first(4)),
        .are_integer = MultipliesIntegers(node)};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    VolumeParts parts;
    ASSIGN_OR_RETURN(parts.form, CheckVolume(context.node, NodeInputs(context.node, context.inputs,
                                                                      context.constants)));
    ASSIGN_OR_RETURN(parts.activation, FusedActivationAttributes(context.node));
    if (parts.form.quantization == ActivationQuantization::kNone) {
      return PrepareFloat(context, parts);
    }
    return PrepareInteger(context, parts);
  }

 private:
  static absl::StatusOr<std::unique_ptr<const Step>> PrepareFloat(const PrepareContext& context,
                                                                  const VolumeParts& parts) {
    const auto channels = static_cast<std::size_t>(parts.form.out_channels);
    ASSIGN_OR_RETURN(const std::vector<float> stored, FloatFilter(context, channels));
    const std::vector<float> filter =
        ImageFilter(context.constants[Inputs::kFilter]->dims(), stored);
    std::vector<float> bias;
    if (context.node.HasInput(Inputs::kBias)) {
      bias = FloatElements(*context.constants[Inputs::kBias]);
    }
    kernels::Conv2dF32Spec spec;
    spec.geometry = ImageGeometry(parts.form);
    spec.filter = filter;
    spec.bias = bias;
    spec.activation = parts.activation.elementwise;
    auto prepared = context.kernels.prepare_conv2d_f32(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const VolumeStep<kernels::Conv2dF32, float>>(
        parts, std::move(prepared.kernel), context.kernels);
  }

  static absl::StatusOr<std::unique_ptr<const Step>> PrepareInteger(const PrepareContext& context,
                                                                    VolumeParts parts) {
    const ConstantTensor* const bias =
        context.node.HasInput(Inputs::kBias) ? context.constants[Inputs::kBias] : nullptr;
    ASSIGN_OR_RETURN(const IntegerFilter integers,
                     MakeIntegerFilter(context, static_cast<std::size_t>(parts.form.out_channels)));
    const std::vector<std::int8_t> filter =
        ImageFilter(context.constants[Inputs::kFilter]->dims(), integers.values);
    kernels::Conv2dS8Spec spec;
    std::optional<IntegerEpilogue> epilogue;
    if (parts.form.quantization == ActivationQuantization::kDynamic) {
      ASSIGN_OR_RETURN(parts.rows, DynamicAttributes(context.node));
      ASSIGN_OR_RETURN(
          epilogue, IntegerEpilogue::Dynamic(context.node, parts.activation, integers.scale, bias));
    } else {
      const TensorQuantization& quantization = *context.inputs[Inputs::kX].quantization;
      ASSIGN_OR_RETURN(epilogue,
                       IntegerEpilogue::Static(context.node, parts.activation, quantization,
                                               context.outputs[0], integers.scale, bias));
      spec.in_zero_point = quantization.zero_point;
      parts.zero = static_cast<std::int8_t>(quantization.zero_point.value);
    }
    spec.geometry = ImageGeometry(parts.form);
    spec.filter = filter;
    spec.filter_zero_point = integers.zero_point;
    spec.epilogue = epilogue->View();
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.conv2d_s8_implementations(spec));
    auto prepared = context.kernels.prepare_conv2d_s8(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const VolumeStep<kernels::Conv2dS8, std::int8_t>>(
        parts, std::move(prepared.kernel), context.kernels);
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeConv3d() { return std::make_unique<const Conv3d>(); }

}  // namespace octet
