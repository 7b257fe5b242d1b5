// SPDX-License-Identifier: Apache-2.0
// Nodes whose operands are constants, or follow from shapes, computed while the model is imported.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// `constant` with other dimensions, of as many elements. The bytes are shared.
ConstantTensor WithDims(const ConstantTensor& constant, Dims dims);

// The constant whose axis i is axis order[i] of `constant`. Precondition: whole bytes, one order
// entry an axis.
ConstantTensor TransposeConstant(const ConstantTensor& constant, const Order& order);

// Takes note of a constant of `dims` that is to be computed, before anything is allocated for it.
// RESOURCE_EXHAUSTED where all that are computed would be larger than the limit for the file.
absl::Status ReserveConstant(const NodeCall& call, const Dims& dims);

// The node's outputs, if none of them needs a node: it computes with constants and sizes alone, or
// only asks for a shape. Nothing where it is to be translated. Returns the node's errors, and
// RESOURCE_EXHAUSTED where a constant would be far larger than any real model's.
absl::StatusOr<FoldedOutputs> Fold(NodeCall& call);

}  // namespace octet::onnx
