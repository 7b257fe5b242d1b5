// SPDX-License-Identifier: Apache-2.0
// The sizes that a reshape asks for, where some are open.

#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

// What is left of the elements of a tensor of shape `from` when those of `known` are taken out. The
// node's errors where that is no whole number, or cannot be written.
absl::StatusOr<Dim> QuotientOf(const NodeCall& call, const Shape& from, const Shape& known);

// The shape that `wanted` asks for of a tensor of shape `from`: each -1 replaced, and each 0 where
// `zero_copies`.
absl::StatusOr<Shape> ResolvedShape(const NodeCall& call, const Shape& from,
                                    std::vector<Dim> wanted, bool zero_copies);

}  // namespace octet::onnx
