// SPDX-License-Identifier: Apache-2.0
// What is computed of sizes, some of which are known only when a batch runs.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/importers/onnx/operand.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

// UNIMPLEMENTED, without a node: for what follows.
absl::Status NotOfOpen();

// What the operator `op` (Add, Sub, Mul, Div, Max, Min) gives. UNIMPLEMENTED where it cannot be
// written.
absl::StatusOr<Dim> Combined(const std::string& op, const Dim& left, const Dim& right);

// Whether two sizes are equal; nothing where that depends. An open dimension is none of the numbers
// that exporters compare it with (-1, 0), where it is more than these for all sizes of at least 1.
std::optional<bool> AreEqual(const Dim& left, const Dim& right);

// The factors of an element: itself, or those that it is a product of.
Shape FactorsAt(const Sizes& sizes, std::size_t at);

}  // namespace octet::onnx
