// SPDX-License-Identifier: Apache-2.0
// Constants that are stretched to an open shape: the initial states of recurrent layers, a class
// token for each row.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// The node's outputs, if it moves elements of a stretched constant that is the same number
// everywhere, splits one, or repeats a constant an open number of times. Nothing where it is to be
// translated. Returns the node's errors.
absl::StatusOr<FoldedOutputs> FoldFilledMovement(NodeCall& call);

// `operand`, which the node joins to values of the graph, as one of them, where it is the same in
// each row of the batch; else as it is. UNIMPLEMENTED for a stretched constant that is no value.
absl::StatusOr<Operand> JoinedPart(const NodeCall& call, const Operand& operand);

}  // namespace octet::onnx
