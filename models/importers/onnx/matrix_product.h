// SPDX-License-Identifier: Apache-2.0
// Products of matrices of which neither need be a constant.

#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// A product of two activations, or with a constant that is no matrix: float32 operands of at least
// two dimensions, whose leading ones are stretched to each other.
absl::StatusOr<Operand> Product(NodeCall& call, Operand a, Operand b, bool transposes_a,
                                bool transposes_b, absl::string_view suffix);

}  // namespace octet::onnx
