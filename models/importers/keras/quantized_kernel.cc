// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/quantized_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/float_constant.h"

namespace octet::keras {

absl::StatusOr<QuantizedKernel> QuantizeTrainedKernel(const ConstantTensor& kernel,
                                                      const std::vector<FakeQuantization>& channels,
                                                      KernelForm form) {
  ASSIGN_OR_RETURN(const ConstantTensor wide, WidenToFloat(kernel));
  const Dims& dims = wide.dims();
  if (dims.empty() ||
      (channels.size() != 1 && static_cast<std::int64_t>(channels.size()) != dims.back())) {
    return absl::InvalidArgumentError(absl::StrCat("got shape ", ToString(dims), " and ",
                                                   channels.size(),
                                                   " ranges, wants one or one a last index"));
  }
  const std::span<const float> values = wide.as<float>();
  if (std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); })) {
    return absl::InvalidArgumentError("got NaN, wants numbers");
  }
  const auto channel = [&channels](std::size_t i) -> const FakeQuantization& {
    return channels[i % channels.size()];
  };
  const bool fits =
      std::all_of(channels.begin(), channels.end(), [](const FakeQuantization& range) {
        return range.lowest() >= std::numeric_limits<std::int8_t>::min() &&
               range.highest() <= std::numeric_limits<std::int8_t>::max();
      });
  if (form == KernelForm::kFloats || !fits) {
    std::vector<float> quantized(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) quantized[i] = channel(i).Apply(values[i]);
    return QuantizedKernel{ConstantTensor::Copy(DataType::kFloat32, dims, quantized), {}};
  }
  std::vector<std::int8_t> integers(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    integers[i] = static_cast<std::int8_t>(channel(i).Steps(values[i]));
  }
  std::vector<float> scale(static_cast<std::size_t>(dims.back()));
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = channel(i).scale();
  return QuantizedKernel{ConstantTensor::Copy(DataType::kInt8, dims, integers),
                         ConstantTensor::Copy(DataType::kFloat32, {dims.back()}, scale)};
}

}  // namespace octet::keras
