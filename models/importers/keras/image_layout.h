// SPDX-License-Identifier: Apache-2.0
// Brings what a layer of images or sequences takes to [N, H, W, C] and back: a sequence is an
// image of width 1, and channels go last.

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

class ImageLayout {
 public:
  // `num_spatial` is 1 for a sequence, 2 for an image. Reads "data_format" of the layer.
  static absl::StatusOr<ImageLayout> Make(const LayerCall& call, std::size_t num_spatial);

  [[nodiscard]] bool channels_first() const { return channels_first_; }
  [[nodiscard]] bool is_sequence() const { return num_spatial_ == 1; }

  // The layer's only input as float32 [N, H, W, C].
  [[nodiscard]] absl::StatusOr<ValueId> Input() const;
  // The layer's output for the [N, H, W, C] in `value`.
  [[nodiscard]] absl::StatusOr<ValueId> Output(ValueId value) const;

  // The option `key` for height and width; `fill` is the width's for a sequence.
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
