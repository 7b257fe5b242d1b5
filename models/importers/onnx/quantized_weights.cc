// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantized_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

absl::StatusOr<std::optional<ConstantTensor>> WeightZeroPoints(NodeCall& call, std::size_t index,
                                                               DataType weight,
                                                               std::int64_t channels) {
  const std::int64_t shift = weight == DataType::kUint8 ? 128 : 0;
  std::vector<std::int64_t> values = {0};
  if (call.Has(index)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, call.Constant(index, "weights' zero point"));
    const std::int64_t count = NumElements(given.dims());
    if (given.data_type() != weight || (count != 1 && count != channels)) {
      return call.Invalid(absl::StrCat("the weights' zero point is ",
                                       DataTypeName(given.data_type()), ToString(given.dims()),
                                       ", wants ", DataTypeName(weight), "[", channels, "]"));
    }
    values = Int64Elements(given);
  }
  for (std::int64_t& value : values) value -= shift;
  const bool is_symmetric =
      std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value == 0; });
  if (is_symmetric) return std::optional<ConstantTensor>();
  if (values.size() == 1) values.resize(static_cast<std::size_t>(channels), values[0]);
  return std::optional(FromInt64s(DataType::kInt8, {channels}, values));
}

absl::StatusOr<ConstantTensor> WeightScales(NodeCall& call, std::size_t index,
                                            std::int64_t channels) {
  ASSIGN_OR_RETURN(const ConstantTensor given, call.FloatConstant(index, "weights' scale"));
  std::vector<float> values = FloatElements(given);
  const auto count = static_cast<std::int64_t>(values.size());
  if (count != 1 && count != channels) {
    return call.Invalid(
        absl::StrCat("the weights' scale is ", ToString(given.dims()), ", wants [", channels, "]"));
  }
  for (const float value : values) {
    if (!std::isfinite(value) || value <= 0.0F) {
      return call.Invalid(absl::StrCat("a weights' scale of ", value, ", wants one above 0"));
    }
  }
  if (count == 1) values.resize(static_cast<std::size_t>(channels), values[0]);
  return ConstantTensor::Copy(DataType::kFloat32, {channels}, values);
}

absl::StatusOr<ConstantTensor> IntegerBias(NodeCall& call, std::size_t index,
                                           std::int64_t channels) {
  ASSIGN_OR_RETURN(const ConstantTensor bias, call.Constant(index, "bias"));
  const std::int64_t count = NumElements(bias.dims());
  if (bias.data_type() != DataType::kInt32 || (count != 1 && count != channels)) {
    return call.Invalid(absl::StrCat("its bias is ", DataTypeName(bias.data_type()),
                                     ToString(bias.dims()), ", wants INT32[", channels, "]"));
  }
  if (count == channels) return WithDims(bias, {channels});
  return FromInt64s(
      DataType::kInt32, {channels},
      std::vector<std::int64_t>(static_cast<std::size_t>(channels), Int64Elements(bias)[0]));
}

void QuantizedWeights::ShrinkIdleBiases(float factor) {
  if (!bias.has_value()) return;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  // The farthest that a byte is from its zero point.
  constexpr std::int64_t kMostDistance = 255;
  std::vector<std::int64_t> biases = Int64Elements(*bias);
  const std::size_t channels = biases.size();
  const std::vector<std::int64_t> values = Int64Elements(kernel);
  const std::vector<float> scales = FloatElements(scale);
  std::vector<std::int64_t> zeros(channels, 0);
  if (zero_point.has_value()) zeros = Int64Elements(*zero_point);
  std::vector<std::int64_t> sums(channels, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i % channels] += std::abs(values[i] - zeros[i % channels]) * kMostDistance;
  }
  bool has_changed = false;
  for (std::size_t j = 0; j < channels; ++j) {
    const std::int64_t largest = sums[j] + std::abs(biases[j]);
    const double step = static_cast<double>(factor) * static_cast<double>(scales[j]);
    if (largest <= kMost || sums[j] > kMost || static_cast<double>(largest) * step > 0.25) continue;
    biases[j] = biases[j] < 0 ? sums[j] - kMost : kMost - sums[j];
    has_changed = true;
  }
  if (has_changed) bias = FromInt64s(DataType::kInt32, bias->dims(), biases);
}

absl::StatusOr<WeightValues> QuantizedWeights::AddTo(NodeCall& call,
                                                     const std::string& kernel_name) {
  WeightValues values;
  values.kernel = call.AddConstant(kernel_name, kernel);
  kernel = *call.graph().graph().values[static_cast<std::size_t>(values.kernel)].constant;
  // The others are of this node alone, however few the file has of them.
  for (int i = 0; i < 3; ++i) RETURN_IF_ERROR(ReserveConstant(call, scale.dims()));
  const auto add = [&call](absl::string_view what, const ConstantTensor& tensor) {
    return call.AddConstant(absl::StrCat(call.name(), "/", what), tensor);
  };
  values.scale = add("kernel_scale", scale);
  if (zero_point.has_value()) values.zero_point = add("kernel_zero_point", *zero_point);
  if (bias.has_value()) values.bias = add("bias", *bias);
  return values;
}

std::vector<LayerVariable> QuantizedWeights::variables() const {
  std::vector<LayerVariable> result = {{"kernel", kernel, ""}};
  if (bias.has_value()) result.push_back({"bias", *bias, ""});
  result.push_back({"kernel_scale", scale, "multiply"});
  if (zero_point.has_value()) result.push_back({"kernel_zero_point", *zero_point, ""});
  return result;
}

absl::StatusOr<FilterForm> FilterFormOf(NodeCall& call, const ConstantTensor& filter,
                                        std::int64_t groups, const Dim& x_channels,
                                        bool may_be_depthwise) {
  const Dims& dims = filter.dims();
  if (groups < 1 || dims[0] % groups != 0) {
    return call.Invalid(absl::StrCat(dims[0], " channels do not divide by ", groups, " groups"));
  }
  FilterForm form;
  if (may_be_depthwise && dims.size() == 4 && groups > 1 && x_channels == Dim(groups) &&
      dims[1] == 1) {
    form.op = "DepthwiseConv2d";
    form.kernel = TransposeConstant(WithDims(filter, {groups, dims[0] / groups, dims[2], dims[3]}),
                                    {2, 3, 0, 1});
    return form;
  }
  const bool is_volume = dims.size() == 5;
  form.op = is_volume ? "Conv3d" : "Conv2d";
  form.kernel = TransposeConstant(filter, is_volume ? Order{2, 3, 4, 1, 0} : Order{2, 3, 1, 0});
  form.attributes["groups"] = groups;
  return form;
}

}  // namespace octet::onnx
