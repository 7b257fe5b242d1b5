// SPDX-License-Identifier: Apache-2.0
// What exporters compute of open dimensions besides shapes: positions, parts of tables as long as a
// sequence, masks that are the same everywhere. Most of it goes away while it is imported.

#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

// The node's outputs, if they are no values of the graph (yet) because an operand of it is none.
// Nothing where the node is to be translated. Returns the node's errors.
absl::StatusOr<FoldedOutputs> FoldOpen(NodeCall& call);

// The node's inputs with values in place of positions and parts of tables: the batch, which these
// say nothing of, becomes their first axis. What cannot be a value stays.
absl::StatusOr<std::vector<Operand>> WithValues(const NodeCall& call);

// Whether a tensor of `shape` that says nothing of the batch can have it as its first axis, among
// `rank` axes.
bool HasRoomForRows(const NodeCall& call, const Shape& shape, std::size_t rank);

// `places` as a value of the graph of `rank` axes, the first of them the batch. Precondition: it
// has room for that.
absl::StatusOr<Operand> ValueOf(const NodeCall& call, const Places& places, std::size_t rank);

}  // namespace octet::onnx
