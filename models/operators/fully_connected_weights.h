// SPDX-License-Identifier: Apache-2.0
// The constants of a FullyConnected node: checked, and brought to the form that kernels take.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"
#include "models/operators/node_checks.h"
#include "models/operators/quantized_arithmetic.h"

namespace octet {

// Indices of the node's inputs.
struct FullyConnectedInput {
  static constexpr std::size_t kX = 0;
  static constexpr std::size_t kWeight = 1;
  static constexpr std::size_t kScale = 2;
  static constexpr std::size_t kZeroPoint = 3;
  static constexpr std::size_t kBias = 4;
  static constexpr std::size_t kGroupIndex = 5;
  static constexpr std::size_t kInputScale = 6;
  static constexpr std::size_t kResidual = 7;
  static constexpr std::size_t kRowScale = 8;
  static constexpr std::size_t kCount = 9;
};

// What the attributes and the constants' types say.
struct FullyConnectedForm {
  std::size_t k = 0;
  std::size_t n = 0;
  std::size_t group_size = 0;  // 0: one scale a channel
  std::size_t num_groups = 1;
  bool is_float = false;       // weights are float32
  bool is_transposed = false;  // weights and scales are stored [n, ...]
  ActivationQuantization quantization = ActivationQuantization::kNone;
  bool has_quantized_rows = false;  // kDynamic: x is int8 already, beside its row scales
  kernels::ScaleConvention convention = kernels::ScaleConvention::kReciprocal;
};

// Checks every constant and attribute of the node.
absl::StatusOr<FullyConnectedForm> CheckFullyConnected(const Node& node, const NodeInputs& inputs);

// The order in which the input's elements make their groups consecutive: element p of the
// reordered input is element order[p]. Empty: they are already. Nullopt where the groups are no
// runs of group_size, so that no order does.
std::optional<std::vector<std::uint32_t>> GroupOrder(const FullyConnectedForm& form,
                                                     const ConstantTensor* group_index);

// Integer weights in the kernels' form, rows reordered by `order` (may be empty).
struct IntegerWeights {
  std::vector<std::int8_t> values;      // k * n
  std::vector<float> scale;             // [n], or [num_groups, n]
  std::vector<std::int8_t> zero_point;  // as scale, or empty
  std::int32_t bits = 8;
  kernels::WeightLayout layout = kernels::WeightLayout::kInputMajor;
};
absl::StatusOr<IntegerWeights> MakeIntegerWeights(const Node& node, const FullyConnectedForm& form,
                                                  std::span<const ConstantTensor* const> constants,
                                                  std::span<const std::uint32_t> order);

// The weights as real numbers [k, n], for groups that no kernel takes.
std::vector<float> DequantizedWeights(const FullyConnectedForm& form,
                                      const IntegerWeights& unordered,
                                      const ConstantTensor& group_index);

}  // namespace octet
