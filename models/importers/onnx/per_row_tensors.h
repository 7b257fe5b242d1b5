// SPDX-License-Identifier: Apache-2.0
// Tensors of open dimensions that say nothing of the batch, such as how far two words of a sequence
// are apart: each row of the batch computes them for itself.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// The node's outputs, if it computes such a tensor, or with one. Nothing where it is to be
// translated. Returns the node's errors, and UNIMPLEMENTED where an operator cannot take one.
absl::StatusOr<FoldedOutputs> FoldPerRow(NodeCall& call);

}  // namespace octet::onnx
