// SPDX-License-Identifier: Apache-2.0
// Parts of constants that are as long as an open dimension.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// Of these functions: a node's outputs, or nothing where it is not of the kind that they are for.
// They return the node's errors.

// As Range counts: from a constant to an open dimension.
absl::StatusOr<FoldedOutputs> FoldRange(NodeCall& call);

// A part of a constant that ends at an open dimension.
absl::StatusOr<FoldedOutputs> FoldSlice(NodeCall& call);

// Rows of a table at positions, or always the same one.
absl::StatusOr<FoldedOutputs> FoldGather(NodeCall& call);

// Elements, at indices that a request decides, of a constant that is the same number everywhere.
absl::StatusOr<FoldedOutputs> FoldGatherElements(NodeCall& call);

// No step and no sum of positions is larger.
inline constexpr std::int64_t kMostPlaces = std::int64_t{1} << 40;

// The one whole number that `operand` is, which may be an open dimension; else nothing.
std::optional<Dim> WholeNumber(const Operand& operand);

// The step between `numbers`, at least one, where it is the same everywhere, and none of them is
// negative.
std::optional<std::int64_t> StepOf(const std::vector<std::int64_t>& numbers);

}  // namespace octet::onnx
