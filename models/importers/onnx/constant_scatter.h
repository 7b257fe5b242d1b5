// SPDX-License-Identifier: Apache-2.0
// Slices of a constant that others take the place of: how exporters write the masks of windows.

#pragma once

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

// What a ScatterND of three constants gives. Returns the node's errors, and UNIMPLEMENTED for one
// that adds, multiplies or compares.
absl::StatusOr<ConstantTensor> ScatterConstant(NodeCall& call);

}  // namespace octet::onnx
