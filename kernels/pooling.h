// SPDX-License-Identifier: Apache-2.0
// Maximum and average pooling, channels last.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet::kernels {

// As in Conv2dGeometry. Padding takes no part: the maximum and the average are
// over the pixels inside the image, of which every window holds at least one.
struct Pool2dGeometry {
  std::size_t in_height = 1, in_width = 1, channels = 1;
  std::size_t pool_height = 1, pool_width = 1;
  std::size_t stride_height = 1, stride_width = 1;
  std::size_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  std::size_t OutHeight() const;
  std::size_t OutWidth() const;
  std::size_t InSize() const;
  std::size_t OutSize() const;
};

enum class PoolKind : std::uint8_t {
  kMax,
  kAverage,
  kAverageHalfUp,  // int8 and int16 only: halves go up
};

// in holds num_images * InSize() values and out num_images * OutSize(); they do
// not overlap. float32: the average is the sum, row by row, divided by the
// count; the same on every set. A NaN in a window of kMax may or may not come
// through.
using Pool2dF32 = void (*)(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                           std::span<const float> in, std::span<float> out);

// int8 and int16: the average is the integer sum over the count, rounded half
// away from zero, or half up; in and out have the same quantization. Exact.
using Pool2dS8 = void (*)(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                          std::span<const std::int8_t> in, std::span<std::int8_t> out);
using Pool2dS16 = void (*)(const Pool2dGeometry& geometry, PoolKind kind, std::size_t num_images,
                           std::span<const std::int16_t> in, std::span<std::int16_t> out);

}  // namespace octet::kernels
