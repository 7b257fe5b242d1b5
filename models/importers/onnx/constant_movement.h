// SPDX-License-Identifier: Apache-2.0
// What the operators that only move elements take from where.

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// One result: element i is element from[i] of the inputs, taken one behind the other. Where `from`
// is empty and `is_same` set, the elements stay as they are.
struct Movement {
  Dims dims;
  std::vector<std::int64_t> from;
  bool is_same = false;
};

// Whether the node's operator is one of those.
bool MovesElements(const NodeCall& call);

// What the node makes of its first input (of all of them for Concat), which have these dimensions.
// Its other inputs are constants.
absl::StatusOr<std::vector<Movement>> MovementsOf(NodeCall& call, const std::vector<Dims>& inputs);

// The part of an axis of `size` elements that Slice takes: `length` elements from `start` on,
// `step` apart.
struct SliceRange {
  std::int64_t start = 0;
  std::int64_t length = 0;
};
SliceRange ResolveSlice(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step);

// What Slice takes: as inputs from opset 10 on, as attributes before.
struct SliceParts {
  std::vector<std::size_t> axes;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> steps;
};
absl::StatusOr<SliceParts> SlicePartsOf(NodeCall& call, std::size_t rank);

// The sizes of Split's outputs of an axis of `size`.
absl::StatusOr<std::vector<std::int64_t>> SplitSizes(NodeCall& call, std::int64_t size);

// Of Transpose: axis i of its result is axis order[i] of its input, of `rank` axes.
absl::StatusOr<Order> PermutationOf(NodeCall& call, std::size_t rank);

// The axes of Squeeze and Unsqueeze: of `rank`, that of the input or of the result.
absl::StatusOr<std::vector<std::size_t>> SqueezeAxes(NodeCall& call, const Shape& shape);
absl::StatusOr<std::vector<std::size_t>> UnsqueezeAxes(NodeCall& call, std::size_t rank);

}  // namespace octet::onnx
