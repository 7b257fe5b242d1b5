// SPDX-License-Identifier: Apache-2.0
// Sequences, images and volumes: [N, C, W], [N, C, H, W] and [N, C, D, H, W] in ONNX, channels last
// in the graph, where a sequence is an image of width 1.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// A volume's axes of space.
inline constexpr std::size_t kMostAxes = 3;

// How Keras's classes end: "1D", "2D" or "3D".
absl::string_view SpatialName(std::size_t spatial_rank);

// Axes of space: 1 or 2, or as many as `most`. UNIMPLEMENTED for others.
absl::StatusOr<std::size_t> SpatialRank(const NodeCall& call, const Activation& x,
                                        std::size_t most = 2);

// `x` as [N, H, W, C], a volume as [N, D, H, W, C].
absl::StatusOr<ValueId> ImageOf(NodeCall& call, Activation& x);
// The inverse, for a result of as many axes as `x`.
absl::StatusOr<Operand> FromImage(NodeCall& call, ValueId id, const Activation& x);

// What ImageOf gives as a volume, [N, D, H, W, C]: an image has a depth of 1.
absl::StatusOr<ValueId> AsVolume(const NodeCall& call, ValueId image);
// The inverse of both.
absl::StatusOr<Operand> FromVolume(NodeCall& call, ValueId id, const Activation& x);

// `values`, one an axis of space, as those of the graph's axes: [height, width], of volumes [depth,
// height, width]. All are `fallback` where they are absent, and so is a sequence's width.
absl::StatusOr<std::vector<std::int64_t>> ImageSizes(const NodeCall& call,
                                                     const std::vector<std::int64_t>& values,
                                                     std::size_t spatial_rank,
                                                     std::int64_t fallback);

// INVALID_ARGUMENT for sizes below `at_least`, or so large that sums of them might overflow.
absl::Status CheckImageSizes(const NodeCall& call, absl::string_view what,
                             const std::vector<std::int64_t>& values, std::int64_t at_least);

// Where a window goes over an image, or a volume: as attributes of Conv2d, Conv3d and of pools.
struct ImageWindow {
  std::vector<std::int64_t> kernel;  // [height, width], of volumes [depth, height, width]
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  // Of "explicit": those before, [top, left] or [front, top, left], and then those behind.
  std::vector<std::int64_t> pads;
  std::string padding = "valid";

  [[nodiscard]] std::size_t num_axes() const { return kernel.size(); }
  [[nodiscard]] bool is_of_volumes() const { return num_axes() == 3; }
  [[nodiscard]] bool has_dilations() const;
  // The same over an image as a volume of depth 1.
  [[nodiscard]] ImageWindow OverVolume() const;
  [[nodiscard]] Attributes attributes() const;
};

// Reads strides and dilations for a kernel of that size over `x`; the pads are 0.
absl::StatusOr<ImageWindow> ImageStepsOf(NodeCall& call, const Activation& x,
                                         const std::vector<std::int64_t>& kernel);
// Reads strides, dilations, pads, auto_pad and ceil_mode for a kernel of that size over `x`.
absl::StatusOr<ImageWindow> ImageWindowOf(NodeCall& call, const Activation& x,
                                          const std::vector<std::int64_t>& kernel);

}  // namespace octet::onnx
