// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear of constants.

#pragma once

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// (q - zero point) * scale, with one scale, one for each index of an axis, or one for each block.
// Precondition: the node's inputs are constants.
absl::StatusOr<ConstantTensor> DequantizeConstant(NodeCall& call);

// saturate(round_half_even(x / scale) + zero point), to 8, 16 or 32 bits; scales as above.
// Precondition: the node's inputs are constants.
absl::StatusOr<ConstantTensor> QuantizeConstant(NodeCall& call);

}  // namespace octet::onnx
