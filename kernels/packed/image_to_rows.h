// SPDX-License-Identifier: Apache-2.0
// The input of a convolution as the rows of a matrix (im2col). Private to this
// room.

#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/conv2d.h"

namespace octet::kernels {

// Whether the pixels of the image are those rows already.
inline bool IsPointwise(const Conv2dGeometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && g.stride_height == 1 &&
         g.stride_width == 1 && g.pad_top == 0 && g.pad_left == 0 && g.pad_bottom == 0 &&
         g.pad_right == 0;
}

// Output pixels [first, first + count) of one image and one group: row i of
// `rows` holds what output pixel first + i sees, [kernel_height, kernel_width,
// channels of the group] values, those outside the image `padding`.
template <typename T>
void ImageToRows(const Conv2dGeometry& g, const T* image, std::size_t group, T padding,
                 std::size_t first, std::size_t count, T* rows) {
  const std::size_t channels = g.in_channels / g.groups;
  const std::size_t out_width = g.OutWidth();
  const T* source = image + group * channels;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t y = (first + i) / out_width;
    const std::size_t x = (first + i) % out_width;
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      const std::size_t padded_y = y * g.stride_height + kh * g.dilation_height;
      const bool is_row_inside = padded_y >= g.pad_top && padded_y - g.pad_top < g.in_height;
      for (std::size_t kw = 0; kw < g.kernel_width; ++kw, rows += channels) {
        const std::size_t padded_x = x * g.stride_width + kw * g.dilation_width;
        if (!is_row_inside || padded_x < g.pad_left || padded_x - g.pad_left >= g.in_width) {
          std::fill_n(rows, channels, padding);
          continue;
        }
        const std::size_t pixel = (padded_y - g.pad_top) * g.in_width + padded_x - g.pad_left;
        std::copy_n(source + pixel * g.in_channels, channels, rows);
      }
    }
  }
}

}  // namespace octet::kernels
