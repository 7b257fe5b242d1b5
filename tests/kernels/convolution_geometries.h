// SPDX-License-Identifier: Apache-2.0
// The convolutions that every kind of them is tested with.

#pragma once

#include <cstddef>
#include <vector>

#include "kernels/conv2d.h"

namespace octet::kernels {

inline const std::vector<Conv2dGeometry>& Geometries() {
  static const std::vector<Conv2dGeometry> geometries = {
      // 3 x 3, same padding
      {.in_height = 8,
       .in_width = 8,
       .in_channels = 1,
       .kernel_height = 3,
       .kernel_width = 3,
       .out_channels = 8,
       .pad_top = 1,
       .pad_left = 1,
       .pad_bottom = 1,
       .pad_right = 1},
      {.in_height = 7,
       .in_width = 9,
       .in_channels = 5,
       .kernel_height = 3,
       .kernel_width = 3,
       .out_channels = 37,
       .stride_height = 2,
       .stride_width = 2,
       .pad_bottom = 1,
       .pad_right = 1},
      // pointwise, plain and strided
      {.in_height = 11, .in_width = 10, .in_channels = 19, .out_channels = 35},
      {.in_height = 9,
       .in_width = 9,
       .in_channels = 16,
       .out_channels = 16,
       .stride_height = 2,
       .stride_width = 2},
      // dilated, one-sided strides and padding
      {.in_height = 12,
       .in_width = 13,
       .in_channels = 4,
       .kernel_height = 3,
       .kernel_width = 2,
       .out_channels = 10,
       .stride_width = 3,
       .dilation_height = 2,
       .dilation_width = 3,
       .pad_top = 2,
       .pad_right = 1},
      // groups
      {.in_height = 6,
       .in_width = 6,
       .in_channels = 12,
       .kernel_height = 3,
       .kernel_width = 3,
       .out_channels = 18,
       .pad_top = 1,
       .pad_left = 1,
       .pad_bottom = 1,
       .pad_right = 1,
       .groups = 3},
      // depthwise, with and without a multiplier
      {.in_height = 9,
       .in_width = 9,
       .in_channels = 35,
       .kernel_height = 3,
       .kernel_width = 3,
       .out_channels = 35,
       .pad_top = 1,
       .pad_left = 1,
       .pad_bottom = 1,
       .pad_right = 1,
       .groups = 35},
      {.in_height = 10,
       .in_width = 60,
       .in_channels = 32,
       .kernel_height = 5,
       .kernel_width = 3,
       .out_channels = 32,
       .stride_height = 2,
       .pad_top = 2,
       .pad_left = 1,
       .pad_bottom = 2,
       .pad_right = 1,
       .groups = 32},
      {.in_height = 5,
       .in_width = 6,
       .in_channels = 7,
       .kernel_height = 2,
       .kernel_width = 3,
       .out_channels = 21,
       .dilation_width = 2,
       .pad_left = 2,
       .groups = 7},
      // more pixels than are taken at a time
      {.in_height = 20,
       .in_width = 17,
       .in_channels = 3,
       .kernel_height = 3,
       .kernel_width = 3,
       .out_channels = 16},
      // one output pixel
      {.in_height = 4,
       .in_width = 4,
       .in_channels = 33,
       .kernel_height = 4,
       .kernel_width = 4,
       .out_channels = 3}};
  return geometries;
}

inline std::size_t FilterSize(const Conv2dGeometry& g) {
  return g.kernel_height * g.kernel_width * (g.in_channels / g.groups) * g.out_channels;
}

}  // namespace octet::kernels
