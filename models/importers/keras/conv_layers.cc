// SPDX-License-Identifier: Apache-2.0
// Convolutions. Those over sequences are convolutions of images of width 1.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/image_layout.h"
#include "models/importers/keras/quantized_kernel.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// Reads strides, dilations and padding.
absl::StatusOr<Attributes> WindowAttributes(const LayerCall& call, const ImageLayout& layout,
                                            const std::vector<std::int64_t>& kernel) {
  Attributes attributes;
  ASSIGN_OR_RETURN(attributes["strides"], layout.Sizes("strides", 1));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> dilations, layout.Sizes("dilation_rate", 1));
  attributes["dilations"] = dilations;
  ASSIGN_OR_RETURN(const std::string padding, call.config().String("padding", "valid"));
  if (padding == "causal" && layout.is_sequence()) {
    attributes["padding"] = std::string("explicit");
    attributes["pads"] = std::vector<std::int64_t>{(kernel[0] - 1) * dilations[0], 0, 0, 0};
  } else if (padding == "valid" || padding == "same") {
    attributes["padding"] = padding;
  } else {
    return call.config().Error("padding", "valid, same or, for sequences, causal");
  }
  return attributes;
}

// The kernels that `call` stores, as `form` wants those that training quantized.
absl::StatusOr<QuantizedKernel> LoadKernel(const LayerCall& call, const std::string& name,
                                           const ConstantTensor& stored, KernelForm form) {
  const auto* const channels = call.KernelQuantization(name);
  if (channels == nullptr) return QuantizedKernel{stored, {}};
  absl::StatusOr<QuantizedKernel> kernel = QuantizeTrainedKernel(stored, *channels, form);
  if (!kernel.ok()) return call.Invalid(absl::StrCat(name, ": ", kernel.status().message()));
  return kernel;
}

// `kernel` as one of images: a sequence's gets a width of 1.
absl::StatusOr<Dims> ImageDims(const LayerCall& call, const ImageLayout& layout,
                               const std::string& name, const ConstantTensor& kernel) {
  Dims dims = kernel.dims();
  const std::size_t rank = layout.num_spatial() + 2;
  if (dims.size() != rank) {
    return call.Invalid(
        absl::StrCat(name, ": got shape ", ToString(dims), ", wants ", rank, " dimensions"));
  }
  if (layout.is_sequence()) dims.insert(dims.begin() + 1, 1);
  return dims;
}

// The scale of each output channel: of a depthwise kernel [height, width, channels, multiplier],
// whose ranges are by its last index, that of each channel's.
ConstantTensor ChannelScale(const ConstantTensor& scale, std::int64_t num_repeats) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < num_repeats; ++i) {
    const auto once = scale.as<float>();
    values.insert(values.end(), once.begin(), once.end());
  }
  return ConstantTensor::Copy(DataType::kFloat32, {static_cast<std::int64_t>(values.size())},
                              values);
}

// The variables [kernel, bias?] or [depthwise_kernel, pointwise_kernel, bias?] as constants, the
// kernels as those of images; "kernel_scale" beside a kernel of integers.
absl::StatusOr<std::map<std::string, ValueId>> LoadKernels(const LayerCall& call,
                                                           const ImageLayout& layout,
                                                           std::vector<std::string> names,
                                                           KernelForm form) {
  ASSIGN_OR_RETURN(const bool use_bias, call.config().Bool("use_bias", true));
  if (call.layer().policy.mode != "float") {
    return call.Unimplemented(
        absl::StrCat("the mode \"", call.layer().policy.mode, "\" cannot be imported"));
  }
  if (use_bias) names.emplace_back("bias");
  ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, call.StoredVariables());
  if (stored.size() != names.size()) {
    return call.Invalid(
        absl::StrCat("got ", stored.size(), " stored variables, wants ", names.size()));
  }
  octet::Layer record;
  std::map<std::string, ValueId> constants;
  std::optional<ConstantTensor> scale;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "bias") {
      ASSIGN_OR_RETURN(constants["bias"], call.FloatConstant("bias", stored[i]));
      record.variables.push_back({"bias", stored[i], ""});
      continue;
    }
    ASSIGN_OR_RETURN(const Dims dims, ImageDims(call, layout, names[i], stored[i]));
    ASSIGN_OR_RETURN(const QuantizedKernel kernel, LoadKernel(call, names[i], stored[i], form));
    record.variables.push_back({names[i], kernel.values, ""});
    if (!kernel.scale.has_value()) {
      ASSIGN_OR_RETURN(constants[names[i]], call.FloatConstant(names[i], kernel.values, dims));
      continue;
    }
    constants[names[i]] =
        call.graph().AddConstant(call.Name(names[i]), WithDims(kernel.values, dims));
    const bool is_depthwise = absl::StrContains(call.layer().class_name, "Depthwise");
    scale = ChannelScale(*kernel.scale, is_depthwise ? dims[2] : 1);
  }
  if (scale.has_value()) {
    constants["kernel_scale"] = call.graph().AddConstant(call.Name("kernel_scale"), *scale);
    record.variables.push_back({"kernel_scale", *scale, "multiply"});
    record.mode = "int8_trained";
  }
  call.Record(std::move(record));
  return constants;
}

ValueId Optional(const std::map<std::string, ValueId>& constants, const std::string& name) {
  const auto found = constants.find(name);
  return found == constants.end() ? kNoValue : found->second;
}

// The inputs of a convolution of `input`.
std::vector<ValueId> ConvInputs(ValueId input, const std::map<std::string, ValueId>& constants,
                                Attributes& attributes) {
  const ValueId scale = Optional(constants, "kernel_scale");
  if (scale != kNoValue) attributes["scale_convention"] = std::string("multiply");
  return {input, constants.at("kernel"), scale, Optional(constants, "bias")};
}

// Appends the convolution `op` and the activation; a softmax becomes a node of its own.
absl::StatusOr<ValueId> Finish(const LayerCall& call, const ImageLayout& layout,
                               const std::string& op, std::vector<ValueId> inputs,
                               Attributes attributes) {
  ASSIGN_OR_RETURN(const ActivationFunction activation, ParseActivation(call, call.config()));
  if (!activation.is_separate()) FuseActivation(activation, attributes);
  ASSIGN_OR_RETURN(ValueId value,
                   call.graph().Emit(op, call.Name(), std::move(inputs), std::move(attributes)));
  ASSIGN_OR_RETURN(value, layout.Output(value));
  if (!activation.is_separate()) return value;
  return ApplyActivation(call, call.Name("activation"), value, activation);
}

absl::StatusOr<std::vector<Operand>> TranslateConv(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const auto kernel, layout.Sizes("kernel_size", 1));
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(call, layout, kernel));
  ASSIGN_OR_RETURN(attributes["groups"], call.config().Int("groups", 1));
  ASSIGN_OR_RETURN(const auto constants,
                   LoadKernels(call, layout, {"kernel"}, KernelForm::kIntegers));
  std::vector<ValueId> inputs = ConvInputs(input, constants, attributes);
  ASSIGN_OR_RETURN(const ValueId output, Finish(call, layout, layout.Operator("Conv"),
                                                std::move(inputs), std::move(attributes)));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateDepthwiseConv(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const auto kernel, layout.Sizes("kernel_size", 1));
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(call, layout, kernel));
  ASSIGN_OR_RETURN(const auto constants,
                   LoadKernels(call, layout, {"kernel"}, KernelForm::kIntegers));
  std::vector<ValueId> inputs = ConvInputs(input, constants, attributes);
  ASSIGN_OR_RETURN(const ValueId output, Finish(call, layout, "DepthwiseConv2d", std::move(inputs),
                                                std::move(attributes)));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateSeparableConv(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const auto kernel, layout.Sizes("kernel_size", 1));
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(call, layout, kernel));
  // Keras strides a sequence's image in both directions; its width is 1 either way.
  ASSIGN_OR_RETURN(
      const auto constants,
      LoadKernels(call, layout, {"depthwise_kernel", "pointwise_kernel"}, KernelForm::kFloats));
  ASSIGN_OR_RETURN(
      const ValueId depthwise,
      call.graph().Emit("DepthwiseConv2d", call.Name("depthwise"),
                        {input, constants.at("depthwise_kernel")}, std::move(attributes)));
  ASSIGN_OR_RETURN(const ValueId output, Finish(call, layout, "Conv2d",
                                                {depthwise, constants.at("pointwise_kernel"),
                                                 kNoValue, Optional(constants, "bias")},
                                                {}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateConvTranspose(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const auto kernel, layout.Sizes("kernel_size", 1));
  ASSIGN_OR_RETURN(Attributes attributes, WindowAttributes(call, layout, kernel));
  if (call.config().Has("output_padding")) {
    ASSIGN_OR_RETURN(std::vector<std::int64_t> padding,
                     call.config().Ints("output_padding", layout.num_spatial()));
    if (layout.is_sequence()) padding.push_back(0);
    attributes["output_padding"] = padding;
  }
  ASSIGN_OR_RETURN(const auto constants,
                   LoadKernels(call, layout, {"kernel"}, KernelForm::kFloats));
  ASSIGN_OR_RETURN(
      const ValueId output,
      Finish(call, layout, layout.Operator("ConvTranspose"),
             {input, constants.at("kernel"), Optional(constants, "bias")}, std::move(attributes)));
  return Single(output);
}

}  // namespace

void AddConvolutionLayers(LayerRegistry& registry) {
  registry.Add({"Conv1D", TranslateConv});
  registry.Add({"Conv1DTranspose", TranslateConvTranspose});
  registry.Add({"Conv2D", TranslateConv});
  registry.Add({"Conv2DTranspose", TranslateConvTranspose});
  registry.Add({"Conv3D", TranslateConv});
  registry.Add({"Conv3DTranspose", TranslateConvTranspose});
  registry.Add({"DepthwiseConv1D", TranslateDepthwiseConv});
  registry.Add({"DepthwiseConv2D", TranslateDepthwiseConv});
  registry.Add({"SeparableConv1D", TranslateSeparableConv});
  registry.Add({"SeparableConv2D", TranslateSeparableConv});
}

}  // namespace octet::keras
