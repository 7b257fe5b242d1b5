// SPDX-License-Identifier: Apache-2.0
// What convolutions of images and of volumes share: where their inputs lie, and the checks and
// forms of their filters, whose last dimension, or last two, are the output channels.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/graph/operator.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {

struct ConvolutionInputs {
  static constexpr std::size_t kX = 0;
  static constexpr std::size_t kFilter = 1;
  static constexpr std::size_t kScale = 2;
  static constexpr std::size_t kBias = 3;
  static constexpr std::size_t kZeroPoint = 4;
  static constexpr std::size_t kCount = 5;
};

// Checks types, scales, zero points and the bias. Precondition: the filter is a constant of
// float32, int8 or uint8.
absl::Status CheckConvolutionWeights(const Node& node, const NodeInputs& inputs,
                                     std::int64_t out_channels,
                                     ActivationQuantization quantization);

// An integer filter, uint8 shifted to int8.
struct IntegerFilter {
  std::vector<std::int8_t> values;
  std::vector<float> scale;             // one a channel
  std::vector<std::int8_t> zero_point;  // one a channel, or none: 0
};

absl::StatusOr<IntegerFilter> MakeIntegerFilter(const PrepareContext& context,
                                                std::size_t out_channels);

// The filter in float32; integers multiplied out with their channel's scale.
absl::StatusOr<std::vector<float>> FloatFilter(const PrepareContext& context,
                                               std::size_t out_channels);

}  // namespace octet
