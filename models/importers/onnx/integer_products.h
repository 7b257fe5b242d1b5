// SPDX-License-Identifier: Apache-2.0
// Products of integers: what ONNX's own operators and those of com.microsoft share.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/quantized_activation.h"

namespace octet::onnx {

// Where an integer product's operands are among a node's inputs.
struct ProductInputs {
  std::size_t a;
  std::size_t b;
  std::size_t a_zero_point;
  std::size_t b_zero_point;
};

// What DynamicQuantizeLinear gives.
struct DynamicallyQuantized {
  Operand values;      // uint8
  Operand scale;       // float32; one for each row of the batch
  Operand zero_point;  // uint8
};
absl::StatusOr<DynamicallyQuantized> QuantizeDynamically(NodeCall& call, const Operand& x);

// An operand of 8 bits, less its zero point (absent: 0), as whole numbers of float32.
absl::StatusOr<Operand> CentredIntegers(NodeCall& call, const Operand& x, const Operand& zero_point,
                                        bool is_left, absl::string_view suffix);

// The sums of (a - a's zero point) * (b - b's zero point) in int32.
absl::StatusOr<Operand> IntegerProduct(NodeCall& call, const Operand& a, const Operand& zero_point,
                                       const ProductInputs& inputs, absl::string_view suffix);

// `sums`, of int32, in float32 times `a_scale` times the scales of input `b_scale`, plus a bias
// that may be absent: each step rounded.
absl::StatusOr<Operand> ScaledSums(NodeCall& call, const Operand& sums, const Operand& a_scale,
                                   std::size_t b_scale, std::size_t bias);

// A fully connected layer of int8, quantized statically. `a` is an activation of 8 bits with
// `a_quantization`, `weight` a constant [k, n].
struct StaticProduct {
  Quantization a;
  ConstantTensor weight;
  std::string weight_name;
  std::size_t b_scale;
  std::size_t b_zero_point;
  std::optional<ConstantTensor> bias;  // int32, [n]
  std::optional<Quantization> result;  // none: float32
};
absl::StatusOr<Operand> StaticFullyConnected(NodeCall& call, const Operand& a,
                                             const StaticProduct& product);

}  // namespace octet::onnx
