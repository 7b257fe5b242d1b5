// SPDX-License-Identifier: Apache-2.0
// Brings what a layer of sequences, images or volumes takes to [N, H, W, C], or [N, D, H, W, C],
// and back: a sequence is an image of width 1, and channels go last.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

// Axes of space of a layer whose class says them: Conv1D, Conv2D, Conv3D.
std::size_t SpatialRank(const LayerCall& call);

class ImageLayout {
 public:
  // `num_spatial` is 1 for a sequence, 2 for an image, 3 for a volume. Reads "data_format" of the
  // layer.
  static absl::StatusOr<ImageLayout> Make(const LayerCall& call, std::size_t num_spatial);

  [[nodiscard]] bool channels_first() const { return channels_first_; }
  [[nodiscard]] std::size_t num_spatial() const { return num_spatial_; }
  [[nodiscard]] bool is_sequence() const { return num_spatial_ == 1; }
  // The graph's operator of this name: that of images, or of volumes.
  [[nodiscard]] std::string Operator(absl::string_view name) const;

  // The layer's only input as float32 [N, H, W, C] or [N, D, H, W, C].
  [[nodiscard]] absl::StatusOr<ValueId> Input() const;
  // The layer's output for what `value` has in that layout.
  [[nodiscard]] absl::StatusOr<ValueId> Output(ValueId value) const;

  // The option `key` for (depth,) height and width; `fill` is the width's for a sequence.
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Sizes(absl::string_view key,
                                                                std::int64_t fallback,
                                                                std::int64_t fill = 1) const;

 private:
  ImageLayout(const LayerCall& call, std::size_t num_spatial, bool channels_first)
      : call_(call), num_spatial_(num_spatial), channels_first_(channels_first) {}

  const LayerCall& call_;
  std::size_t num_spatial_;
  bool channels_first_;
};

}  // namespace octet::keras
