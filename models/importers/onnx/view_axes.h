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

// Whether a tensor cannot be one of the graph: an axis of it has a size that cannot be written, or
// the batch is part of it.
bool IsNoTensor(const NodeCall& call, const View& view);

// An activation that has the axes of a view, but for the one that makes it no tensor: in place of
// that one, `count` axes from `first` on, no two of which are known and follow each other.
struct TakenApart {
  std::shared_ptr<Activation> activation;
  std::size_t first = 0;
  std::size_t count = 1;
};
// `view` as one. Where it is a tensor, `count` is 1. UNIMPLEMENTED where more than one axis makes
// it none.
absl::StatusOr<TakenApart> Apart(const NodeCall& call, const View& view);

// `view` with its `count` axes from `first` on as one. Precondition: it has them.
View WithTogether(View view, std::size_t first, std::size_t count);

}  // namespace octet::onnx
