// SPDX-License-Identifier: Apache-2.0
// Images and sequences: [N, C, H, W] and [N, C, W] in ONNX, [N, H, W, C] in the graph, where a
// sequence is an image of width 1.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// Axes of space: 1 or 2. UNIMPLEMENTED for volumes.
absl::StatusOr<std::size_t> SpatialRank(const NodeCall& call, const Activation& x);

// `x` as [N, H, W, C].
absl::StatusOr<ValueId> ImageOf(NodeCall& call, Activation& x);
// The inverse, for a result of as many axes as `x`.
absl::StatusOr<Operand> FromImage(NodeCall& call, ValueId id, const Activation& x);

// `values`, one an axis of space, as [height, width]: 1 and `fallback` where they are absent.
absl::StatusOr<std::vector<std::int64_t>> ImagePair(const NodeCall& call,
                                                    const std::vector<std::int64_t>& values,
                                                    std::size_t spatial_rank,
                                                    std::int64_t fallback);

// Where a window goes over an image: as attributes of Conv2d and of pools.
struct ImageWindow {
  std::vector<std::int64_t> kernel;  // [height, width]
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;  // top, left, bottom, right; of "explicit"
  std::string padding = "valid";

  [[nodiscard]] Attributes attributes() const;
};

// Reads strides, dilations, pads, auto_pad and ceil_mode for a kernel of that size over `x`.
absl::StatusOr<ImageWindow> ImageWindowOf(NodeCall& call, const Activation& x,
                                          const std::vector<std::int64_t>& kernel);

}  // namespace octet::onnx
