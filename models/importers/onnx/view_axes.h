// SPDX-License-Identifier: Apache-2.0
// Axes of a view: put together, cut, and taken apart again.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

using ViewAxes = std::vector<std::size_t>;

// `operand`, an activation or a view, as a view; nothing for others.
std::optional<View> AsView(const Operand& operand);

// `view` as an activation, where each of its axes is one of it or new; else as it is.
absl::StatusOr<Operand> FromView(const NodeCall& call, View view);

// The axes of `view`, one behind the other, in groups of the sizes `wanted`, of which one may be
// -1. Nothing where an axis would have to be cut.
std::optional<std::vector<ViewAxes>> Grouped(const View& view, const std::vector<Dim>& wanted);

// `view` as one of the shape `wanted`, its axes cut where that is needed. Nothing where an open
// axis would have to be.
absl::StatusOr<std::optional<View>> Refined(const NodeCall& call, const View& view,
                                            const Shape& wanted);

// An activation with the axes that `view` puts together in its first one as axes of their own, and
// one for each other group. UNIMPLEMENTED where a size of these cannot be written.
absl::StatusOr<std::shared_ptr<Activation>> Apart(const NodeCall& call, const View& view);

// `view` with its first `count` axes as one.
View WithFirstTogether(View view, std::size_t count);

}  // namespace octet::onnx
