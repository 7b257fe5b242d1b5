// SPDX-License-Identifier: Apache-2.0

#include "models/operators/conv2d.h"

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

enum class ConvolutionKind { kOrdinary, kDepthwise };

// What the attributes and types say.
struct ConvolutionForm {
  SpatialWindow window;
  kernels::Conv2dGeometry geometry;  // of the window's smallest images, where they are open
  ActivationQuantization quantization = ActivationQuantization::kNone;
};

void SetWindow(const SpatialWindow& window, kernels::Conv2dGeometry& geometry) {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  geometry.in_height = size(window.height.in);
  geometry.in_width = size(window.width.in);
  geometry.kernel_height = size(window.height.kernel);
  geometry.kernel_width = size(window.width.kernel);
  geometry.stride_height = size(window.height.stride);
  geometry.stride_width = size(window.width.stride);
  geometry.dilation_height = size(window.height.dilation);
  geometry.dilation_width = size(window.width.dilation);
  geometry.pad_top = size(window.height.pad_before);
  geometry.pad_left = size(window.width.pad_before);
  geometry.pad_bottom = size(window.height.pad_after);
  geometry.pad_right = size(window.width.pad_after);
}

absl::StatusOr<ConvolutionForm> CheckConvolution(ConvolutionKind kind, const Node& node,
                                                 const NodeInputs& inputs) {
  RETURN_IF_ERROR(inputs.CheckCounts(2, Inputs::kCount));
  RETURN_IF_ERROR(inputs.CheckRank(Inputs::kX, "x", 4, 4));
  RETURN_IF_ERROR(inputs.CheckRank(Inputs::kFilter, "filter", 4, 4));
  RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kFilter, "filter",
                                       {DataType::kFloat32, DataType::kInt8, DataType::kUint8}));
  RETURN_IF_ERROR(inputs.CheckConstant(Inputs::kFilter, "filter"));
  const Dims& filter = inputs.constant(Inputs::kFilter)->dims();
  for (const std::int64_t dim : filter) RETURN_IF_ERROR(KnownSize(node, Dim(dim)).status());
  ASSIGN_OR_RETURN(const std::int64_t channels, KnownSize(node, inputs.shape(Inputs::kX)[3]));
  ASSIGN_OR_RETURN(const SpatialWindow window,
                   SpatialWindowAttributes(node, inputs.shape(Inputs::kX), filter[0], filter[1],
                                           Dilations::kAllowed));
  std::int64_t groups = channels;
  if (kind == ConvolutionKind::kOrdinary) {
    ASSIGN_OR_RETURN(groups, IntAttribute(node, "groups", 1, 1));
  }
  const std::int64_t out_channels =
      kind == ConvolutionKind::kOrdinary ? filter[3] : channels * filter[3];
  const std::int64_t wanted = kind == ConvolutionKind::kOrdinary ? channels / groups : channels;
  if (channels % groups != 0 || out_channels % groups != 0 || filter[2] != wanted) {
    return InvalidNode(node, "input \"filter\" is ", ToString(filter), " for ", channels,
                       " channels in ", groups, " groups");
  }
  ConvolutionForm form;
  ASSIGN_OR_RETURN(form.quantization, ActivationQuantizationAttribute(node));
  SetWindow(window, form.geometry);
  form.geometry.in_channels = static_cast<std::size_t>(channels);
  form.geometry.out_channels = static_cast<std::size_t>(out_channels);
  form.geometry.groups = static_cast<std::size_t>(groups);
  form.window = window;
  RETURN_IF_ERROR(CheckConvolutionWeights(node, inputs, out_channels, form.quantization));
  return form;
}

std::size_t NumImages(const TensorView& x) { return static_cast<std::size_t>(x.dims[0]); }

// The geometry of a batch's images.
class ImageGeometry {
 public:
  explicit ImageGeometry(const ConvolutionForm& form)
      : window_(form.window), geometry_(form.geometry) {}

  [[nodiscard]] absl::Status Check(const TensorView& x) const {
    return window_.is_open ? window_.CheckSize(x.dims[1], x.dims[2]) : absl::OkStatus();
  }
  [[nodiscard]] kernels::Conv2dGeometry Of(const TensorView& x) const {
    kernels::Conv2dGeometry geometry = geometry_;
    if (window_.is_open) SetWindow(window_.For(x.dims[1], x.dims[2]), geometry);
    return geometry;
  }

 private:
  const SpatialWindow window_;
  const kernels::Conv2dGeometry geometry_;
};

// Where `run`, of Conv2dS8 or Conv2dS16, writes its pixels, whose channels may lie apart.
template <typename KernelArguments>
void SetPitchedOutput(const StepArguments& arguments, const kernels::Conv2dGeometry& geometry,
                      KernelArguments& run) {
  const MutableTensorView& out = arguments.outputs[0];
  run.out_pitch = static_cast<std::size_t>(arguments.output_pitches.At(0, out.dims, 1));
  const std::size_t pixels = run.num_images * geometry.OutSize() / geometry.out_channels;
  const std::size_t size = pixels == 0 ? 0 : (pixels - 1) * run.out_pitch + geometry.out_channels;
  SetOutput(out, size, run.out);
}

// Images that are used as they are, int8 and int16 ones quantized statically (PTSQ). The result is
// float32, or of the images' type.
template <typename Kernel, typename T>
class DirectStep final : public Step {
 public:
  DirectStep(const ConvolutionForm& form, FusedActivation activation,
             std::unique_ptr<const Kernel> convolution, const kernels::KernelSet& kernels)
      : geometry_(form),
        activation_(activation),
        convolution_(std::move(convolution)),
        kernels_(kernels) {}

  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    return geometry_.Check(inputs[Inputs::kX]);
  }

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    return convolution_->ScratchByteSize(NumImages(inputs[Inputs::kX]));
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[Inputs::kX];
    const kernels::Conv2dGeometry geometry = geometry_.Of(x);
    typename Kernel::Arguments run;
    run.num_images = NumImages(x);
    run.geometry = &geometry;
    run.in = {x.as<T>(), run.num_images * geometry.InSize()};
    run.scratch = arguments.scratch;
    std::span<float> float_out;
    if constexpr (kIsFloat) {
      run.out = {arguments.outputs[0].as<float>(), run.num_images * geometry.OutSize()};
      float_out = run.out;
    } else {
      SetPitchedOutput(arguments, geometry, run);
      float_out = run.out.f32;
    }
    convolution_->Run(run);
    ApplyOverRows(kernels_, activation_, geometry.out_channels, float_out);
  }

  [[nodiscard]] std::size_t OutputRowRank(std::size_t) const override {
    return kIsFloat || activation_.over_rows.has_value() ? 0 : 1;
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

  const ImageGeometry geometry_;
  const FusedActivation activation_;
  const std::unique_ptr<const Kernel> convolution_;
  const kernels::KernelSet& kernels_;
};

// PTDQ: float32 images, quantized here, each for itself.
class DynamicStep final : public Step {
 public:
  DynamicStep(const ConvolutionForm& form, FusedActivation activation,
              kernels::RowQuantizeSpec rows, std::unique_ptr<const kernels::Conv2dS8> convolution,
              const kernels::KernelSet& kernels)
      : geometry_(form),
        activation_(activation),
        rows_(rows),
        convolution_(std::move(convolution)),
        kernels_(kernels) {}

  [[nodiscard]] absl::Status CheckInputs(std::span<const TensorView> inputs) const override {
    return geometry_.Check(inputs[Inputs::kX]);
  }

  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    const std::size_t images = NumImages(inputs[Inputs::kX]);
    ScratchLayout layout;
    layout.Take<std::int8_t>(images * geometry_.Of(inputs[Inputs::kX]).InSize());
    layout.Take<float>(images);
    layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    return layout.byte_size();
  }

  void Run(const StepArguments& arguments) const override {
    const TensorView& x = arguments.inputs[Inputs::kX];
    const std::size_t images = NumImages(x);
    const kernels::Conv2dGeometry geometry = geometry_.Of(x);
    const std::size_t in_size = images * geometry.InSize();
    ScratchLayout layout(arguments.scratch);
    const std::span<std::int8_t> quantized = layout.Take<std::int8_t>(in_size);
    const std::span<float> row_scale = layout.Take<float>(images);
    kernels::RowQuantizeSpec rows = rows_;
    rows.num_rows = images;
    rows.row_size = geometry.InSize();
    kernels_.quantize_rows_s8(rows, {x.as<float>(), in_size}, quantized, row_scale);
    kernels::Conv2dS8::Arguments run;
    run.num_images = images;
    run.geometry = &geometry;
    run.in = quantized;
    run.row_scale = row_scale;
    SetPitchedOutput(arguments, geometry, run);
    run.scratch = layout.Take<std::byte>(convolution_->ScratchByteSize(images));
    convolution_->Run(run);
    ApplyOverRows(kernels_, activation_, geometry.out_channels, run.out.f32);
  }

  [[nodiscard]] std::size_t OutputRowRank(std::size_t) const override {
    return activation_.over_rows.has_value() ? 0 : 1;
  }
  [[nodiscard]] bool is_exact() const override { return !activation_.over_rows.has_value(); }
  [[nodiscard]] std::string kernel_name() const override {
    return std::string(convolution_->Provider());
  }
  [[nodiscard]] bool ReadsConstant(std::size_t index) const override { return index == Inputs::kX; }
  [[nodiscard]] std::size_t packed_byte_size() const override {
    return convolution_->PackedByteSize();
  }

 private:
  const ImageGeometry geometry_;
  const FusedActivation activation_;
  const kernels::RowQuantizeSpec rows_;
  const std::unique_ptr<const kernels::Conv2dS8> convolution_;
  const kernels::KernelSet& kernels_;
};

class Convolution final : public Operator {
 public:
  explicit Convolution(ConvolutionKind kind) : kind_(kind) {}

  [[nodiscard]] absl::string_view name() const override {
    return kind_ == ConvolutionKind::kOrdinary ? "Conv2d" : "DepthwiseConv2d";
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    ASSIGN_OR_RETURN(const ConvolutionForm form,
                     CheckConvolution(kind_, node, NodeInputs(node, types, constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(node));
    const Shape shape = {types[Inputs::kX].shape[0], form.window.out_height, form.window.out_width,
                         Dim(static_cast<std::int64_t>(form.geometry.out_channels))};
    TensorType output{DataType::kFloat32, shape, std::nullopt};
    if (form.quantization == ActivationQuantization::kStatic) {
      ASSIGN_OR_RETURN(output, StaticOutputType(node, shape, types[Inputs::kX].data_type));
      if (output.quantization.has_value()) {
        RETURN_IF_ERROR(StaticClipRange(node, activation, output).status());
      }
    }
    return OneOutput(node, std::move(output));
  }

  [[nodiscard]] ProductCount CountProducts(const Node& node, std::span<const Dims> inputs,
                                           const Dims& output) const override {
    const Dims& filter =
        inputs[Inputs::kFilter];  // [kh, kw, C / groups, O], depthwise [kh, kw, C, m]
    const auto window = static_cast<double>(filter[0]) * static_cast<double>(filter[1]);
    const double depth = kind_ == ConvolutionKind::kOrdinary ? static_cast<double>(filter[2]) : 1;
    return {.count = ElementCount(output) * window * depth,
            .are_integer = MultipliesIntegers(node)};
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const ConvolutionForm form,
                     CheckConvolution(kind_, context.node,
                                      NodeInputs(context.node, context.inputs, context.constants)));
    ASSIGN_OR_RETURN(const FusedActivation activation, FusedActivationAttributes(context.node));
    if (form.quantization == ActivationQuantization::kNone) {
      return PrepareFloat(context, form, activation);
    }
    if (context.inputs[Inputs::kX].data_type == DataType::kInt16) {
      return PrepareInt16(context, form, activation);
    }
    return PrepareInteger(context, form, activation);
  }

 private:
  static absl::StatusOr<std::unique_ptr<const Step>> PrepareFloat(
      const PrepareContext& context, const ConvolutionForm& form,
      const FusedActivation& activation) {
    ASSIGN_OR_RETURN(const std::vector<float> filter,
                     FloatFilter(context, form.geometry.out_channels));
    std::vector<float> bias;
    if (context.node.HasInput(Inputs::kBias))
      bias = FloatElements(*context.constants[Inputs::kBias]);
    kernels::Conv2dF32Spec spec;
    spec.geometry = form.geometry;
    spec.filter = filter;
    spec.bias = bias;
    spec.activation = activation.elementwise;
    spec.is_open = form.window.is_open;
    auto prepared = context.kernels.prepare_conv2d_f32(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const DirectStep<kernels::Conv2dF32, float>>(
        form, activation, std::move(prepared.kernel), context.kernels);
  }

  static absl::StatusOr<std::unique_ptr<const Step>> PrepareInt16(
      const PrepareContext& context, const ConvolutionForm& form,
      const FusedActivation& activation) {
    ASSIGN_OR_RETURN(const IntegerFilter filter,
                     MakeIntegerFilter(context, form.geometry.out_channels));
    ASSIGN_OR_RETURN(
        const Int16Epilogue epilogue,
        Int16Epilogue::Make(
            context.node, activation, *context.inputs[Inputs::kX].quantization, context.outputs[0],
            filter.scale,
            context.node.HasInput(Inputs::kBias) ? context.constants[Inputs::kBias] : nullptr));
    kernels::Conv2dS16Spec spec;
    spec.geometry = form.geometry;
    spec.filter = filter.values;
    spec.epilogue = epilogue.View();
    spec.is_open = form.window.is_open;
    auto prepared = context.kernels.prepare_conv2d_s16(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    return std::make_unique<const DirectStep<kernels::Conv2dS16, std::int16_t>>(
        form, activation, std::move(prepared.kernel), context.kernels);
  }

  static absl::StatusOr<std::unique_ptr<const Step>> PrepareInteger(
      const PrepareContext& context, const ConvolutionForm& form,
      const FusedActivation& activation) {
    const ConstantTensor* bias =
        context.node.HasInput(Inputs::kBias) ? context.constants[Inputs::kBias] : nullptr;
    ASSIGN_OR_RETURN(const IntegerFilter filter,
                     MakeIntegerFilter(context, form.geometry.out_channels));
    kernels::Conv2dS8Spec spec;
    std::optional<kernels::RowQuantizeSpec> rows;
    std::optional<IntegerEpilogue> epilogue;
    if (form.quantization == ActivationQuantization::kDynamic) {
      ASSIGN_OR_RETURN(rows, DynamicAttributes(context.node));
      ASSIGN_OR_RETURN(epilogue,
                       IntegerEpilogue::Dynamic(context.node, activation, filter.scale, bias));
    } else {
      ASSIGN_OR_RETURN(epilogue, IntegerEpilogue::Static(context.node, activation,
                                                         *context.inputs[Inputs::kX].quantization,
                                                         context.outputs[0], filter.scale, bias));
      spec.in_zero_point = context.inputs[Inputs::kX].quantization->zero_point;
    }
    spec.geometry = form.geometry;
    spec.filter = filter.values;
    spec.filter_zero_point = filter.zero_point;
    spec.epilogue = epilogue->View();
    spec.is_open = form.window.is_open;
    spec.implementation = context.choose_implementation(
        kernels::LayerKey(spec), context.kernels.conv2d_s8_implementations(spec));
    auto prepared = context.kernels.prepare_conv2d_s8(spec);
    if (prepared.kernel == nullptr) return InvalidNode(context.node, prepared.error);
    if (rows.has_value()) {
      return std::make_unique<const DynamicStep>(form, activation, *rows,
                                                 std::move(prepared.kernel), context.kernels);
    }
    return std::make_unique<const DirectStep<kernels::Conv2dS8, std::int8_t>>(
        form, activation, std::move(prepared.kernel), context.kernels);
  }

  const ConvolutionKind kind_;
};

}  // namespace

std::unique_ptr<const Operator> MakeConv2d() {
  return std::make_unique<const Convolution>(ConvolutionKind::kOrdinary);
}
std::unique_ptr<const Operator> MakeDepthwiseConv2d() {
  return std::make_unique<const Convolution>(ConvolutionKind::kDepthwise);
}

}  // namespace octet
