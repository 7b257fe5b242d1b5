// SPDX-License-Identifier: Apache-2.0
// Weights of 4 or 8 bits with a scale for each block of a column (MatMulNBits).

#pragma once

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// The product of `x` and the node's weights, its inputs 1 (integers), 2 (scales) and 3 (zero
// points, which may be absent), plus input 5, a bias that may be absent.
absl::StatusOr<Operand> BlockProduct(NodeCall& call, Activation& x);

}  // namespace octet::onnx
