// SPDX-License-Identifier: Apache-2.0
// Pooling as loops over channels that the compiler vectorizes. Private to this
// room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/pooling.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

struct PoolRange {
  std::size_t begin;
  std::size_t end;
};

// The part inside the image of the window that starts at `position` of the
// padded image.
inline PoolRange ClipWindow(std::size_t position, std::size_t window, std::size_t pad,
                            std::size_t size) {
  const std::size_t begin = position < pad ? 0 : position - pad;
  const std::size_t padded_end = position + window < pad ? 0 : position + window - pad;
  return {begin, padded_end < size ? padded_end : size};
}

// Calls pool(rows, columns, output offset) for each output pixel of one image.
template <typename Pool>
inline void ForEachPoolWindow(const Pool2dGeometry& g, const Pool& pool) {
  const std::size_t out_height = g.OutHeight();
  const std::size_t out_width = g.OutWidth();
  for (std::size_t y = 0; y < out_height; ++y) {
    const PoolRange rows = ClipWindow(y * g.stride_height, g.pool_height, g.pad_top, g.in_height);
    for (std::size_t x = 0; x < out_width; ++x) {
      const PoolRange columns =
          ClipWindow(x * g.stride_width, g.pool_width, g.pad_left, g.in_width);
      pool(rows, columns, (y * out_width + x) * g.channels);
    }
  }
}

// Calls tap(input pixel) for each pixel of a window, row by row.
template <typename T, typename Tap>
inline void ForEachPoolTap(const Pool2dGeometry& g, PoolRange rows, PoolRange columns,
                           const T* image, const Tap& tap) {
  for (std::size_t y = rows.begin; y < rows.end; ++y) {
    for (std::size_t x = columns.begin; x < columns.end; ++x) {
      tap(image + (y * g.in_width + x) * g.channels);
    }
  }
}

template <typename T>
inline void MaxPoolImage(const Pool2dGeometry& g, const T* in, T* out) {
  const std::size_t channels = g.channels;
  ForEachPoolWindow(g, [=, &g](PoolRange rows, PoolRange columns, std::size_t offset) {
    T* target = out + offset;
    const T* first = in + (rows.begin * g.in_width + columns.begin) * channels;
    for (std::size_t c = 0; c < channels; ++c) target[c] = first[c];
    ForEachPoolTap(g, rows, columns, in, [=](const T* pixel) {
      for (std::size_t c = 0; c < channels; ++c) {
        target[c] = pixel[c] > target[c] ? pixel[c] : target[c];
      }
    });
  });
}

inline void Pool2dF32Loop(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
                          std::span<const float> in, std::span<float> out) {
  const std::size_t channels = g.channels;
  for (std::size_t image = 0; image < num_images; ++image) {
    const float* source = in.data() + image * g.InSize();
    float* image_target = out.data() + image * g.OutSize();
    if (kind == PoolKind::kMax) {
      MaxPoolImage(g, source, image_target);
      continue;
    }
    ForEachPoolWindow(g, [=, &g](PoolRange rows, PoolRange columns, std::size_t offset) {
      float* target = image_target + offset;
      for (std::size_t c = 0; c < channels; ++c) target[c] = 0.0F;
      ForEachPoolTap(g, rows, columns, source, [=](const float* pixel) {
        for (std::size_t c = 0; c < channels; ++c) target[c] += pixel[c];
      });
      const auto count =
          static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
      for (std::size_t c = 0; c < channels; ++c) target[c] = target[c] / count;
    });
  }
}

// Sum holds the sum of a window.
// The mean of `count` values, halves away from zero or up.
template <bool kHalfUp, typename T, typename Sum>
inline T Mean(Sum sum, Sum count) {
  if constexpr (kHalfUp) {
    // Of numbers that are not negative: divisions cut towards 0.
    constexpr auto kOffset = static_cast<Sum>(Sum{1} << (8 * sizeof(T) - 1));
    return static_cast<T>((sum + kOffset * count + count / 2) / count - kOffset);
  } else {
    const Sum magnitude = sum < 0 ? -sum : sum;
    const Sum mean = (magnitude + count / 2) / count;
    return static_cast<T>(sum < 0 ? -mean : mean);
  }
}

template <bool kHalfUp, typename Sum, typename T>
inline void AveragePoolImage(const Pool2dGeometry& g, const T* in, T* out) {
  constexpr std::size_t kChunk = 64;
  ForEachPoolWindow(g, [=, &g](PoolRange rows, PoolRange columns, std::size_t offset) {
    const auto count = static_cast<Sum>((rows.end - rows.begin) * (columns.end - columns.begin));
    for (std::size_t first = 0; first < g.channels; first += kChunk) {
      const std::size_t size = g.channels - first < kChunk ? g.channels - first : kChunk;
      Sum sum[kChunk] = {};
      ForEachPoolTap(g, rows, columns, in, [=, &sum](const T* pixel) {
        for (std::size_t c = 0; c < size; ++c) sum[c] += pixel[first + c];
      });
      for (std::size_t c = 0; c < size; ++c) {
        out[offset + first + c] = Mean<kHalfUp, T>(sum[c], count);
      }
    }
  });
}

template <typename Sum, typename T>
inline void PoolIntegersLoop(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
                             std::span<const T> in, std::span<T> out) {
  for (std::size_t image = 0; image < num_images; ++image) {
    const T* source = in.data() + image * g.InSize();
    T* target = out.data() + image * g.OutSize();
    if (kind == PoolKind::kMax) {
      MaxPoolImage(g, source, target);
    } else if (kind == PoolKind::kAverage) {
      AveragePoolImage<false, Sum>(g, source, target);
    } else {
      AveragePoolImage<true, Sum>(g, source, target);
    }
  }
}

// Calls run with the type that holds a window's sum: int32, if a window has at most 2^kMostBits
// pixels.
template <int kMostBits, typename Run>
inline void WithSumOf(const Pool2dGeometry& g, const Run& run) {
  constexpr std::size_t kMost = std::size_t{1} << kMostBits;
  const bool is_small =
      g.pool_height <= kMost && g.pool_width <= kMost && g.pool_height * g.pool_width <= kMost;
  if (is_small) {
    run(std::int32_t{});
  } else {
    run(std::int64_t{});
  }
}

inline void Pool2dS8Loop(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
                         std::span<const std::int8_t> in, std::span<std::int8_t> out) {
  WithSumOf<23>(g,
                [&](auto sum) { PoolIntegersLoop<decltype(sum)>(g, kind, num_images, in, out); });
}

inline void Pool2dS16Loop(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
                          std::span<const std::int16_t> in, std::span<std::int16_t> out) {
  WithSumOf<15>(g,
                [&](auto sum) { PoolIntegersLoop<decltype(sum)>(g, kind, num_images, in, out); });
}

}  // namespace
}  // namespace octet::kernels
