// SPDX-License-Identifier: Apache-2.0

#include "models/operators/integer_products.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {
namespace {

using Input = IntegerProductInput;

// The farthest that a byte is from its zero point.
constexpr std::int64_t kMostDistance = 255;

// The zero points of x: one, or one for each index of some leading dimensions.
absl::Status CheckXZeroPoint(const Node& node, const NodeInputs& inputs, std::size_t num_leading) {
  if (!inputs.Has(Input::kXZeroPoint)) return absl::OkStatus();
  RETURN_IF_ERROR(
      inputs.CheckDataType(Input::kXZeroPoint, "x_zero_point", {inputs.type(Input::kX).data_type}));
  const Shape& got = inputs.shape(Input::kXZeroPoint);
  if (const ConstantTensor* const constant = inputs.constant(Input::kXZeroPoint)) {
    if (NumElements(constant->dims()) == 1) return absl::OkStatus();
    return InvalidNode(node, "a constant \"x_zero_point\" is ", ToString(constant->dims()),
                       ", wants one element");
  }
  const Shape& x = inputs.shape(Input::kX);
  bool fits = got.size() == x.size();
  bool varies = true;
  for (std::size_t axis = 0; fits && axis < x.size(); ++axis) {
    varies = varies && axis < num_leading && got[axis] == x[axis];
    fits = varies || got[axis] == Dim(1);
  }
  if (fits) return absl::OkStatus();
  return InvalidNode(node, "input \"x_zero_point\" has shape ", ToString(got, {}), " for ",
                     ToString(x, {}), ", wants its first dimensions, and 1 for the others");
}

absl::Status CheckWeightZeroPoint(const Node& node, const NodeInputs& inputs,
                                  std::int64_t channels) {
  if (!inputs.Has(Input::kWeightZeroPoint)) return absl::OkStatus();
  const DataType weight = inputs.type(Input::kWeight).data_type;
  RETURN_IF_ERROR(inputs.CheckDataType(Input::kWeightZeroPoint, "weight_zero_point", {weight}));
  RETURN_IF_ERROR(
      inputs.CheckConstant(Input::kWeightZeroPoint, "weight_zero_point", weight,
                           ChannelDims(inputs.constant(Input::kWeightZeroPoint), channels)));
  return WeightZeroPoints(node, "weight_zero_point", weight,
                          *inputs.constant(Input::kWeightZeroPoint))
      .status();
}

}  // namespace

absl::Status CheckIntegerProduct(const Node& node, const NodeInputs& inputs, std::int64_t channels,
                                 std::size_t num_leading) {
  RETURN_IF_ERROR(inputs.CheckDataType(Input::kX, "x", {DataType::kInt8, DataType::kUint8}));
  RETURN_IF_ERROR(CheckXZeroPoint(node, inputs, num_leading));
  return CheckWeightZeroPoint(node, inputs, channels);
}

absl::StatusOr<ProductWeights> MakeProductWeights(const PrepareContext& context,
                                                  std::size_t channels) {
  const ConstantTensor& weight = *context.constants[Input::kWeight];
  ProductWeights result;
  result.values = UnpackWeights(weight);
  if (context.node.HasInput(Input::kWeightZeroPoint)) {
    ASSIGN_OR_RETURN(result.zero_point,
                     WeightZeroPoints(context.node, "weight_zero_point", weight.data_type(),
                                      *context.constants[Input::kWeightZeroPoint]));
    result.zero_point = PerChannel(std::move(result.zero_point), channels);
  } else if (const std::int32_t shift = WeightShift(weight.data_type()); shift != 0) {
    result.zero_point.assign(channels, static_cast<std::int8_t>(-shift));
  }
  std::vector<std::int64_t> sums(channels, 0);
  std::vector<std::int64_t> sizes(channels, 0);
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const std::size_t channel = i % channels;
    const int zero = result.zero_point.empty() ? 0 : result.zero_point[channel];
    const int value = result.values[i] - zero;
    sums[channel] += value;
    sizes[channel] += std::abs(value);
  }
  const std::int64_t largest = *std::max_element(sizes.begin(), sizes.end());
  if (largest * kMostDistance > std::numeric_limits<std::int32_t>::max()) {
    return InvalidNode(context.node, "weights of a channel add up to ", largest,
                       ", so that a sum of products could leave int32");
  }
  for (const std::int64_t sum : sums) result.sums.push_back(static_cast<std::int32_t>(sum));
  return result;
}

std::optional<std::int32_t> FixedZeroPoint(const PrepareContext& context) {
  const bool is_unsigned = context.inputs[Input::kX].data_type == DataType::kUint8;
  const std::int32_t shift = is_unsigned ? 128 : 0;
  if (!context.node.HasInput(Input::kXZeroPoint)) return -shift;
  const ConstantTensor* const constant = context.constants[Input::kXZeroPoint];
  if (constant == nullptr) return std::nullopt;
  return ByteElements(*constant)[0] - shift;
}

std::span<const std::int8_t> AsInt8(const TensorView& x, bool is_unsigned,
                                    std::span<std::int8_t> scratch) {
  const auto size = static_cast<std::size_t>(NumElements(x.dims));
  const auto* const bytes = x.as<std::int8_t>();
  if (!is_unsigned) return {bytes, size};
  std::transform(bytes, bytes + size, scratch.begin(),
                 [](std::int8_t byte) { return static_cast<std::int8_t>(byte ^ -128); });
  return scratch.first(size);
}

void SubtractZeroPoints(const TensorView& zero_points, bool is_unsigned,
                        std::span<const std::int32_t> weight_sums, std::span<std::int32_t> sums) {
  const auto count = static_cast<std::size_t>(NumElements(zero_points.dims));
  if (count == 0) return;
  const std::size_t channels = weight_sums.size();
  const std::size_t size = sums.size() / count;
  for (std::size_t part = 0; part < count; ++part) {
    const std::int32_t zero = is_unsigned ? std::int32_t{zero_points.as<std::uint8_t>()[part]} - 128
                                          : std::int32_t{zero_points.as<std::int8_t>()[part]};
    std::int32_t* const begin = sums.data() + part * size;
    for (std::int32_t* row = begin; row != begin + size; row += channels) {
      for (std::size_t j = 0; j < channels; ++j) row[j] -= zero * weight_sums[j];
    }
  }
}

}  // namespace octet
