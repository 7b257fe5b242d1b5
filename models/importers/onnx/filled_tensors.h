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

// The node's outputs, if it stretches a constant to an open shape, or moves elements of one that is
// the same number everywhere. Nothing where it is to be translated. Returns the node's errors.
absl::StatusOr<std::optional<std::vector<Operand>>> FoldFilledMovement(NodeCall& call);

// `row` as a value of the graph that has it for each row of the batch.
absl::StatusOr<Operand> OfEachRow(const NodeCall& call, const ConstantTensor& row);

// `filled` as a value of the graph. UNIMPLEMENTED unless the batch, in front, is all that is open.
absl::StatusOr<Operand> ValueOf(const NodeCall& call, const Filled& filled);

}  // namespace octet::onnx
