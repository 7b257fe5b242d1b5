// SPDX-License-Identifier: Apache-2.0
#include "kernels/pooling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "kernels/reference/reference.h"

namespace octet::kernels::reference {
namespace {

// Calls window(first row, end row, first column, end column, output index) for
// each output pixel; rows and columns are those inside the image.
template <typename Window>
void ForEachWindow(const Pool2dGeometry& g, const Window& window) {
  const auto clip = [](std::size_t position, std::size_t pad, std::size_t size) {
    return position < pad ? 0 : std::min(position - pad, size);
  };
  for (std::size_t y = 0; y < g.OutHeight(); ++y) {
    for (std::size_t x = 0; x < g.OutWidth(); ++x) {
      const std::size_t top = y * g.stride_height;
      const std::size_t left = x * g.stride_width;
      window(clip(top, g.pad_top, g.in_height), clip(top + g.pool_height, g.pad_top, g.in_height),
             clip(left, g.pad_left, g.in_width), clip(left + g.pool_width, g.pad_left, g.in_width),
             (y * g.OutWidth() + x) * g.channels);
    }
  }
}

// sum / count, rounded as the kind says.
std::int64_t RoundedMean(PoolKind kind, std::int64_t sum, std::int64_t count) {
  if (kind == PoolKind::kAverageHalfUp) {
    const std::int64_t raised = sum + count / 2;
    return raised >= 0 ? raised / count : -((-raised + count - 1) / count);
  }
  return sum >= 0 ? (sum + count / 2) / count : -((-sum + count / 2) / count);
}

template <typename T>
void PoolIntegers(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
                  std::span<const T> in, std::span<T> out) {
  for (std::size_t image = 0; image < num_images; ++image) {
    const T* source = in.data() + image * g.InSize();
    T* target = out.data() + image * g.OutSize();
    ForEachWindow(g, [&](std::size_t top, std::size_t bottom, std::size_t left, std::size_t right,
                         std::size_t index) {
      for (std::size_t c = 0; c < g.channels; ++c) {
        T largest = std::numeric_limits<T>::min();
        std::int64_t sum = 0;
        for (std::size_t y = top; y < bottom; ++y) {
          for (std::size_t x = left; x < right; ++x) {
            const T value = source[(y * g.in_width + x) * g.channels + c];
            largest = std::max(largest, value);
            sum += value;
          }
        }
        const auto count = static_cast<std::int64_t>((bottom - top) * (right - left));
        target[index + c] =
            kind == PoolKind::kMax ? largest : static_cast<T>(RoundedMean(kind, sum, count));
      }
    });
  }
}

}  // namespace

void Pool2dF32(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
               std::span<const float> in, std::span<float> out) {
  for (std::size_t image = 0; image < num_images; ++image) {
    const float* source = in.data() + image * g.InSize();
    float* target = out.data() + image * g.OutSize();
    ForEachWindow(g, [&](std::size_t top, std::size_t bottom, std::size_t left, std::size_t right,
                         std::size_t index) {
      for (std::size_t c = 0; c < g.channels; ++c) {
        float largest = source[(top * g.in_width + left) * g.channels + c];
        float sum = 0.0F;
        for (std::size_t y = top; y < bottom; ++y) {
          for (std::size_t x = left; x < right; ++x) {
            const float value = source[(y * g.in_width + x) * g.channels + c];
            largest = value > largest ? value : largest;
            sum += value;
          }
        }
        const auto count = static_cast<float>((bottom - top) * (right - left));
        target[index + c] = kind == PoolKind::kMax ? largest : sum / count;
      }
    });
  }
}

void Pool2dS8(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
              std::span<const std::int8_t> in, std::span<std::int8_t> out) {
  PoolIntegers(g, kind, num_images, in, out);
}

void Pool2dS16(const Pool2dGeometry& g, PoolKind kind, std::size_t num_images,
               std::span<const std::int16_t> in, std::span<std::int16_t> out) {
  PoolIntegers(g, kind, num_images, in, out);
}

}  // namespace octet::kernels::reference
