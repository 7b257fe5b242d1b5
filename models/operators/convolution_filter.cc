// SPDX-License-Identifier: Apache-2.0

#include "models/operators/convolution_filter.h"

#include <array>
#include <utility>

#include "models/base/status_macros.h"

namespace octet {
namespace {

using Inputs = ConvolutionInputs;

absl::Status CheckFilterQuantization(const Node& node, const NodeInputs& inputs,
                                     std::int64_t num_channels) {
  const DataType filter = inputs.type(Inputs::kFilter).data_type;
  const bool is_float = filter == DataType::kFloat32;
  if (is_float == inputs.Has(Inputs::kScale)) {
    return InvalidNode(node, is_float ? "a float32 filter with a \"filter_scale\""
                                      : "an integer filter without a \"filter_scale\"");
  }
  if (is_float) {
    return inputs.Has(Inputs::kZeroPoint)
               ? InvalidNode(node, "a float32 filter with a \"filter_zero_point\"")
               : absl::OkStatus();
  }
  RETURN_IF_ERROR(ScaleConventionAttribute(node).status());
  RETURN_IF_ERROR(inputs.CheckScale(Inputs::kScale, "filter_scale",
                                    ChannelDims(inputs.constant(Inputs::kScale), num_channels)));
  if (!inputs.Has(Inputs::kZeroPoint)) return absl::OkStatus();
  RETURN_IF_ERROR(inputs.CheckDataType(Inputs::kZeroPoint, "filter_zero_point",
                                       {DataType::kInt8, DataType::kUint8}));
  RETURN_IF_ERROR(inputs.CheckConstant(
      Inputs::kZeroPoint, "filter_zero_point", inputs.type(Inputs::kZeroPoint).data_type,
      ChannelDims(inputs.constant(Inputs::kZeroPoint), num_channels)));
  return WeightZeroPoints(node, "filter_zero_point", filter, *inputs.constant(Inputs::kZeroPoint))
      .status();
}

}  // namespace

absl::Status CheckConvolutionWeights(const Node& node, const NodeInputs& inputs,
                                     std::int64_t out_channels,
                                     ActivationQuantization quantization) {
  const std::array channels{out_channels};
  RETURN_IF_ERROR(CheckFilterQuantization(node, inputs, channels[0]));
  if (inputs.type(Inputs::kFilter).data_type == DataType::kFloat32 &&
      quantization != ActivationQuantization::kNone) {
    return UnimplementedNode(node, "a float32 filter with quantized activations");
  }
  const bool is_static = quantization == ActivationQuantization::kStatic;
  const DataType x = inputs.type(Inputs::kX).data_type;
  RETURN_IF_ERROR(is_static ? CheckStaticInput(node, inputs, Inputs::kX)
                            : inputs.CheckDataType(Inputs::kX, "x", {DataType::kFloat32}));
  RETURN_IF_ERROR(CheckStaticWeights(node, x, inputs.type(Inputs::kFilter).data_type,
                                     inputs.Has(Inputs::kZeroPoint)));
  if (quantization == ActivationQuantization::kDynamic) {
    RETURN_IF_ERROR(DynamicAttributes(node).status());
  }
  if (!inputs.Has(Inputs::kBias)) return absl::OkStatus();
  return is_static ? CheckStaticBias(inputs, Inputs::kBias, x, channels)
                   : inputs.CheckConstant(Inputs::kBias, "bias", DataType::kFloat32, channels);
}

absl::StatusOr<IntegerFilter> MakeIntegerFilter(const PrepareContext& context,
                                                std::size_t out_channels) {
  const ConstantTensor& filter = *context.constants[Inputs::kFilter];
  IntegerFilter result;
  result.values = UnpackWeights(filter);
  result.scale = PerChannel(FloatElements(*context.constants[Inputs::kScale]), out_channels);
  if (context.node.HasInput(Inputs::kZeroPoint)) {
    ASSIGN_OR_RETURN(result.zero_point,
                     WeightZeroPoints(context.node, "filter_zero_point", filter.data_type(),
                                      *context.constants[Inputs::kZeroPoint]));
    result.zero_point = PerChannel(std::move(result.zero_point), out_channels);
  } else if (const std::int32_t shift = WeightShift(filter.data_type()); shift != 0) {
    result.zero_point.assign(out_channels, static_cast<std::int8_t>(-shift));
  }
  return result;
}

absl::StatusOr<std::vector<float>> FloatFilter(const PrepareContext& context,
                                               std::size_t out_channels) {
  const ConstantTensor& filter = *context.constants[Inputs::kFilter];
  if (filter.data_type() == DataType::kFloat32) return FloatElements(filter);
  ASSIGN_OR_RETURN(const kernels::ScaleConvention convention,
                   ScaleConventionAttribute(context.node));
  ASSIGN_OR_RETURN(const IntegerFilter integers, MakeIntegerFilter(context, out_channels));
  std::vector<float> result(integers.values.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    // [kh, kw, C, O], and depthwise [kh, kw, C, m]: the channel is what comes last in memory.
    const std::size_t channel = i % out_channels;
    const float channel_scale = integers.scale[channel];
    const int zero = integers.zero_point.empty() ? 0 : integers.zero_point[channel];
    const auto value = static_cast<float>(integers.values[i] - zero);
    result[i] = convention == kernels::ScaleConvention::kReciprocal ? value / channel_scale
                                                                    : value * channel_scale;
  }
  return result;
}

}  // namespace octet
