// SPDX-License-Identifier: Apache-2.0
// Constants that bring a quantization of their own (models/importers/quantized_constant.h): moved,
// multiplied with and looked up in. Everything else says that it cannot take one.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// The outputs of a node that moves the elements of a quantized constant, which bring their scales
// along. Nothing where the node takes no such constant, or is one that is translated. UNIMPLEMENTED
// naming the constant for every other node that takes one.
absl::StatusOr<FoldedOutputs> FoldQuantized(NodeCall& call);

// x times the matrix input 1 is, a quantized constant, with a bias [columns] or none.
// `transposes` where the rows are the columns.
absl::StatusOr<Operand> QuantizedProduct(NodeCall& call, const Operand& x, bool transposes,
                                         const std::optional<ConstantTensor>& bias);

// Rows of the matrix input 0 is, a quantized constant: an embedding. The result has the axes of
// `indices` and one more.
absl::StatusOr<Operand> QuantizedLookUp(NodeCall& call, Activation& indices);

}  // namespace octet::onnx
