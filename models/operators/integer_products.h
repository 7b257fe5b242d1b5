// SPDX-License-Identifier: Apache-2.0
// What the products of integers with constant integers share: IntegerMatMul and IntegerConv2d.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator.h"
#include "models/operators/node_checks.h"
#include "models/tensor/tensor.h"

namespace octet {

// Indices of the nodes' inputs.
struct IntegerProductInput {
  static constexpr std::size_t kX = 0;
  static constexpr std::size_t kWeight = 1;
  static constexpr std::size_t kXZeroPoint = 2;
  static constexpr std::size_t kWeightZeroPoint = 3;
  static constexpr std::size_t kCount = 4;
};

// Checks types, zero points and that weights are constants, of `channels` output channels.
// `num_leading` is how many of x's dimensions its zero points may vary over.
absl::Status CheckIntegerProduct(const Node& node, const NodeInputs& inputs, std::int64_t channels,
                                 std::size_t num_leading);

// Constant weights, uint8 shifted to int8, whose output channel is their last dimension.
struct ProductWeights {
  std::vector<std::int8_t> values;
  std::vector<std::int8_t> zero_point;  // one a channel, or none: 0
  std::vector<std::int32_t> sums;       // of weight - zero point, one a channel
};
// INVALID_ARGUMENT where a sum of products could leave int32.
absl::StatusOr<ProductWeights> MakeProductWeights(const PrepareContext& context,
                                                  std::size_t channels);

// The zero point that x has in every batch, of int8; nothing where it comes with x.
std::optional<std::int32_t> FixedZeroPoint(const PrepareContext& context);

// The elements of x, or of zero points, as int8: uint8 ones with 128 less, copied to `scratch`,
// which has their size then.
std::span<const std::int8_t> AsInt8(const TensorView& x, bool is_unsigned,
                                    std::span<std::int8_t> scratch);

// sums[i, j] -= zero_point(i) * weights.sums[j] for rows of `channels`, where consecutive rows
// share the zero points in `zero_points`.
void SubtractZeroPoints(const TensorView& zero_points, bool is_unsigned,
                        std::span<const std::int32_t> weight_sums, std::span<std::int32_t> sums);

}  // namespace octet
