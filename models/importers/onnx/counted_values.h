// SPDX-License-Identifier: Apache-2.0
// Values of the graph that say nothing of the inputs' elements, only of how many there are.

#pragma once

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/importers/onnx/node_call.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

// [rows, n], each of whose rows counts from 0, where n is `length`. Made once for each length.
// UNIMPLEMENTED where no value of the graph has that dimension behind the batch.
absl::StatusOr<ValueId> CountingValue(const NodeCall& call, const Dim& length);

// [rows, 1], all 0. UNIMPLEMENTED where no value of the graph has the batch.
absl::StatusOr<ValueId> ZeroOfEachRow(const NodeCall& call);

}  // namespace octet::onnx
