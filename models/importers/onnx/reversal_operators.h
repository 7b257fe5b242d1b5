// SPDX-License-Identifier: Apache-2.0
// Sequences whose steps are reversed.

#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// ReverseSequence of every sequence as a whole: what tf2onnx makes of TensorFlow's ReverseV2.
absl::StatusOr<std::vector<Operand>> TranslateReverseSequence(NodeCall& call);

}  // namespace octet::onnx
