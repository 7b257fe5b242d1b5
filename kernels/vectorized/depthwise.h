// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution as loops over channels that the compiler vectorizes.
// Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// Calls tap(input pixel's offset, tap index) for each tap inside the image of
// output pixel x.
template <typename Tap>
inline void ForEachDepthwiseTap(const DepthwiseTile& t, std::size_t x, const Tap& tap) {
  const Conv2dGeometry& g = *t.geometry;
  for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
    const std::size_t padded_y = t.y * g.stride_height + kh * g.dilation_height;
    if (padded_y < g.pad_top || padded_y - g.pad_top >= g.in_height) continue;
    for (std::size_t kw = 0; kw < g.kernel_width; ++kw) {
      const std::size_t padded_x = x * g.stride_width + kw * g.dilation_width;
      if (padded_x < g.pad_left || padded_x - g.pad_left >= g.in_width) continue;
      const std::size_t pixel = (padded_y - g.pad_top) * g.in_width + padded_x - g.pad_left;
      tap(pixel * g.in_channels, kh * g.kernel_width + kw);
    }
  }
}

// row[j] += (x[j / multiplier] - zero_point) * w[j]. kSize is the number of channels, or 0: `size`.
template <std::size_t kSize, typename T, typename Sum>
inline void AddDepthwiseTap(const T* __restrict x, Sum zero_point, const T* __restrict w,
                            std::size_t size, std::size_t first, std::size_t multiplier,
                            Sum* __restrict row) {
  if constexpr (kSize != 0) {
    for (std::size_t j = 0; j < kSize; ++j) {
      row[j] += (static_cast<Sum>(x[j]) - zero_point) * static_cast<Sum>(w[j]);
    }
  } else {
    for (std::size_t j = 0; j < size; ++j) {
      const Sum value = static_cast<Sum>(x[(first + j) / multiplier]) - zero_point;
      row[j] += value * static_cast<Sum>(w[j]);
    }
  }
}

// sums[pixel, column] of one panel. Sum is what a product of T is added up in.
template <std::size_t kColumns, typename T, typename Sum>
inline void DepthwiseTileLoop(const DepthwiseTile& t, const T* in, Sum in_zero_point,
                              const T* filter, Sum* sums) {
  const std::size_t channel = t.first_channel;
  const std::size_t size = t.num_channels;
  const std::size_t multiplier = t.multiplier;
  const bool is_whole = multiplier == 1 && size == kColumns;
  const T* w = filter + channel;
  for (std::size_t i = 0; i < t.num_pixels; ++i) {
    alignas(64) Sum row[kColumns] = {};
    Sum* target = row;
    ForEachDepthwiseTap(t, t.first_x + i, [=, &t](std::size_t offset, std::size_t tap) {
      const T* tap_weights = w + tap * t.padded_channels;
      if (is_whole) {
        AddDepthwiseTap<kColumns>(in + offset + channel, in_zero_point, tap_weights, size, channel,
                                  multiplier, target);
      } else {
        AddDepthwiseTap<0>(in + offset, in_zero_point, tap_weights, size, channel, multiplier,
                           target);
      }
    });
    for (std::size_t j = 0; j < kColumns; ++j) sums[i * kColumns + j] = row[j];
  }
}

template <std::size_t kColumns>
inline void DepthwiseS8(const DepthwiseTile& t, const std::int8_t* in, std::int32_t in_zero_point,
                        const std::int8_t* filter, std::int32_t* sums) {
  DepthwiseTileLoop<kColumns>(t, in, in_zero_point, filter, sums);
}

template <std::size_t kColumns>
inline void DepthwiseF32(const DepthwiseTile& t, const float* in, const float* filter,
                         float* sums) {
  DepthwiseTileLoop<kColumns>(t, in, 0.0F, filter, sums);
}

}  // namespace
}  // namespace octet::kernels
