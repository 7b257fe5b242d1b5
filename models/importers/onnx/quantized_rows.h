// SPDX-License-Identifier: Apache-2.0
// Rows that a quantized matrix wants quantized before it is multiplied with them: PyTorch's
// quantized tensors say so of the activations that they meet.

#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"
#include "models/importers/quantized_constant.h"

namespace octet::onnx {

// A matrix [k, n] with a scale for each column, and a zero point for each or none.
struct ColumnQuantizedMatrix {
  std::string name;
  ConstantTensor data;                       // int8
  ConstantTensor scale;                      // float32 [n]
  std::optional<ConstantTensor> zero_point;  // int8 [n]
  std::optional<ConstantTensor> bias;        // float32 [n]
};

// `x`, float32 and an activation, quantized as `rows` says (any but kNone), times `matrix`, in
// integers.
absl::StatusOr<Operand> ProductOfQuantizedRows(NodeCall& call, const Operand& x,
                                               const RowsQuantization& rows,
                                               const ColumnQuantizedMatrix& matrix);

// `x` with each row quantized at run time as `rows` says (kSymmetric or kAsymmetric), in float32.
absl::StatusOr<Operand> RoundedRows(NodeCall& call, const Operand& x, const RowsQuantization& rows);

}  // namespace octet::onnx
