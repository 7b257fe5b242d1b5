// SPDX-License-Identifier: Apache-2.0
// A window that moves over one spatial axis, two, or three: strides, dilations and padding.

#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/tensor/shape.h"

namespace octet {

// One axis of images of one size. All sizes at least 1, pads at least 0, the window inside the
// padded input.
struct AxisWindow {
  std::int64_t in = 1;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad_before = 0;
  std::int64_t pad_after = 0;
  std::int64_t out = 1;
};

struct SpatialWindow {
  bool is_same = false;  // the pads follow from the size
  // H or W is open: known when a batch runs. Then `height` and `width` are, where open, those of
  // the smallest image that a window without pads of "same" fits into.
  bool is_open = false;
  AxisWindow height;
  AxisWindow width;
  Dim out_height{1};
  Dim out_width{1};

  // INVALID_ARGUMENT for images that are too small for the kernel, or have no pixel at all.
  [[nodiscard]] absl::Status CheckSize(std::int64_t in_height, std::int64_t in_width) const;
  // The window over images of this size. Precondition: CheckSize says OK.
  [[nodiscard]] SpatialWindow For(std::int64_t in_height, std::int64_t in_width) const;
};

enum class Dilations { kAllowed, kNone };

// Reads `strides`, `dilations` (where allowed), `padding` and `pads` for an image of `shape`
// [N, H, W, C] and a kernel of these sizes.
absl::StatusOr<SpatialWindow> SpatialWindowAttributes(const Node& node, const Shape& shape,
                                                      std::int64_t kernel_height,
                                                      std::int64_t kernel_width,
                                                      Dilations dilations);

// One axis of the window over volumes, each of a known size: depth, height and width.
using VolumeWindow = std::array<AxisWindow, 3>;

// Reads the same attributes, of three axes each, for volumes of `shape` [N, D, H, W, C] and a
// kernel of these sizes.
absl::StatusOr<VolumeWindow> VolumeWindowAttributes(const Node& node, const Shape& shape,
                                                    std::span<const std::int64_t> kernel);

// `dim` as a known size from 1 to 2^31 - 1.
absl::StatusOr<std::int64_t> KnownSize(const Node& node, const Dim& dim);

}  // namespace octet
