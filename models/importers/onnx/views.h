// SPDX-License-Identifier: Apache-2.0
// Reshapes that put the batch together with other axes. Exporters write them around transposes and
// products of many matrices, and take them apart again.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// The node's outputs, if it takes a view, makes one, or only renames the axes of what it is given:
// elements at positions that follow each other. Nothing where it is to be translated. Returns the
// node's errors, and UNIMPLEMENTED where an operator cannot take a view.
absl::StatusOr<FoldedOutputs> FoldView(NodeCall& call);

}  // namespace octet::onnx
