// SPDX-License-Identifier: Apache-2.0
// Activations of 8 bits with their quantization. The graph's integer operators take int8 with a
// scale and a zero point; ONNX has them beside the tensor, and uint8 too.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// One scale and zero point for a whole tensor of `type`, int8 or uint8, as the file has them.
struct Quantization {
  float scale = 1.0F;
  std::int64_t zero_point = 0;
  DataType type = DataType::kUint8;

  // As the graph has it: uint8 is int8 with 128 less.
  [[nodiscard]] std::int64_t graph_zero_point() const {
    return zero_point - (type == DataType::kUint8 ? 128 : 0);
  }
  // The attributes `scale` and `zero_point`, with `prefix` in front.
  [[nodiscard]] Attributes attributes(absl::string_view prefix = "") const;
};

// Whether the node has the inputs `wanted` and none beyond `at_most`.
absl::Status CheckPresent(const NodeCall& call, std::size_t at_most,
                          std::initializer_list<std::size_t> wanted);

// Input `scale` of the node, and `zero_point`, which may be absent, as they are for a tensor of
// `type`. Both are constants of one element.
absl::StatusOr<Quantization> QuantizationOf(NodeCall& call, std::size_t scale,
                                            std::size_t zero_point, DataType type);
// The same where the zero point says what the type is, uint8 without one.
absl::StatusOr<Quantization> ResultQuantization(NodeCall& call, std::size_t scale,
                                                std::size_t zero_point);

// `x`, of 8 bits, as int8 with that quantization.
absl::StatusOr<std::shared_ptr<Activation>> IntegersOf(NodeCall& call, Activation& x,
                                                       const Quantization& quantization);

// The ONNX tensor of `type` that has the elements of `integers`, which are int8 with a
// quantization.
absl::StatusOr<Operand> FromIntegers(NodeCall& call, std::shared_ptr<Activation> integers,
                                     DataType type);

// `x`, of 8 bits, in float32, and the inverse.
absl::StatusOr<Operand> Dequantized(NodeCall& call, const Operand& x,
                                    const Quantization& quantization, absl::string_view suffix);
absl::StatusOr<Operand> Quantized(NodeCall& call, const Operand& x,
                                  const Quantization& quantization);

// min(max(x, low), high) of `x`, whose integers are known, in them.
absl::StatusOr<Operand> ClippedIntegers(NodeCall& call, Activation& x,
                                        std::optional<std::int64_t> low,
                                        std::optional<std::int64_t> high);

// The node's inputs as int8 with a quantization, if the node only moves their elements and they are
// known so.
std::optional<std::vector<Operand>> IntegersToMove(const NodeCall& call);

}  // namespace octet::onnx
