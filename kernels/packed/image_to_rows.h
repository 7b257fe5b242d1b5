// SPDX-License-Identifier: Apache-2.0
// The input of a convolution as the rows of a matrix (im2col). Private to this
// room.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/conv2d.h"

namespace octet::kernels {

// Whether the pixels of the image are those rows already.
inline bool IsPointwise(const Conv2dGeometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && g.stride_height == 1 &&
         g.stride_width == 1 && g.pad_top == 0 && g.pad_left == 0 && g.pad_bottom == 0 &&
         g.pad_right == 0;
}

// Copies a few values, without the call that a size unknown to the compiler would be.
template <typename T>
inline void CopyFew(const T* from, std::size_t size, T* to) {
  constexpr std::size_t kChunk = 16 / sizeof(T);
  if (size < kChunk) {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
    return;
  }
  for (std::size_t i = 0; i + kChunk < size; i += kChunk) {
    std::memcpy(to + i, from + i, kChunk * sizeof(T));
  }
  // The last chunk overlaps the one before.
  std::memcpy(to + size - kChunk, from + size - kChunk, kChunk * sizeof(T));
}

// Output pixels [first, first + count) of one image and one group: row i of
// `rows` holds what output pixel first + i sees, [kernel_height, kernel_width,
// channels of the group] values, those outside the image `padding`.
template <typename T>
void ImageToRows(const Conv2dGeometry& g, const T* image, std::size_t group, T padding,
                 std::size_t first, std::size_t count, T* rows) {
  const std::size_t channels = g.in_channels / g.groups;
  const std::size_t out_width = g.OutWidth();
  const std::size_t window_width = (g.kernel_width - 1) * g.dilation_width + 1;
  // The taps of one row of the kernel are neighbours.
  const bool is_contiguous = g.groups == 1 && g.dilation_width == 1;
  const T* source = image + group * channels;
  std::size_t y = first / out_width;
  std::size_t x = first % out_width;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t left = x * g.stride_width;  // padded
    const bool is_inside = left >= g.pad_left && left + window_width <= g.pad_left + g.in_width;
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      const std::size_t padded_y = y * g.stride_height + kh * g.dilation_height;
      const std::size_t size = g.kernel_width * channels;
      if (padded_y < g.pad_top || padded_y - g.pad_top >= g.in_height) {
        std::fill_n(rows, size, padding);
        rows += size;
        continue;
      }
      const T* line = source + (padded_y - g.pad_top) * g.in_width * g.in_channels;
      if (is_inside && is_contiguous) {
        CopyFew(line + (left - g.pad_left) * g.in_channels, size, rows);
        rows += size;
        continue;
      }
      for (std::size_t kw = 0; kw < g.kernel_width; ++kw, rows += channels) {
        const std::size_t padded_x = left + kw * g.dilation_width;
        if (padded_x < g.pad_left || padded_x - g.pad_left >= g.in_width) {
          std::fill_n(rows, channels, padding);
        } else {
          CopyFew(line + (padded_x - g.pad_left) * g.in_channels, channels, rows);
        }
      }
    }
    if (++x == out_width) {
      x = 0;
      ++y;
    }
  }
}

}  // namespace octet::kernels
