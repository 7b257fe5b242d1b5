// SPDX-License-Identifier: Apache-2.0
// What the output pixels of a depthwise convolution see. Private to this room.

#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/conv2d.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// Bytes that a run's last inputs may lie beyond its first, if that leaves it a few pixels: of
// padding there must be as many.
inline constexpr std::size_t kDepthwiseRunBytes = std::size_t{16} << 10;
// Pixels whose inputs lie further apart than so many bytes are computed one by one.
inline constexpr std::size_t kDepthwiseStepBytes = std::size_t{1} << 20;

// Output columns [begin, end) whose windows are inside the image, and those beside them.
struct InsideColumns {
  explicit InsideColumns(const Conv2dGeometry& g) {
    const std::size_t reach = (g.kernel_width - 1) * g.dilation_width + 1;
    const std::size_t last_start = g.pad_left + g.in_width;  // padded; the window ends before it
    begin = std::min((g.pad_left + g.stride_width - 1) / g.stride_width, g.OutWidth());
    end = last_start < reach ? begin : (last_start - reach) / g.stride_width + 1;
    end = std::clamp(end, begin, g.OutWidth());
  }
  std::size_t begin;
  std::size_t end;
};

// Finds what the output pixels of a depthwise convolution see: run by run of neighbours, a pointer
// for each tap. An image whose channels are not whole vectors, or are each used several times, is
// copied to one of `padded_channels` first, as far as a run sees it.
template <typename T>
class DepthwiseWindows {
 public:
  // `tap_multiple`: taps are filled up with any input to a multiple of it.
  DepthwiseWindows(const Conv2dGeometry& g, std::size_t padded_channels, std::size_t tap_multiple,
                   T padding)
      : out_channels_(g.out_channels),
        padded_channels_(padded_channels),
        multiplier_(g.out_channels / g.in_channels),
        is_copied_(multiplier_ > 1 || g.in_channels % kDepthwiseChannels != 0),
        num_taps_(RoundUp(g.kernel_height * g.kernel_width, tap_multiple)),
        pixel_step_(g.stride_width * (is_copied_ ? padded_channels : g.in_channels)),
        max_pixels_(MostPixels(pixel_step_ * sizeof(T))),
        padding_((max_pixels_ - 1) * pixel_step_ + padded_channels, padding),
        copied_width_((max_pixels_ - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width +
                      1),
        scratch_byte_size_(
            PointersByteSize() +
            (is_copied_ ? g.kernel_height * copied_width_ * padded_channels * sizeof(T) : 0)) {}

  std::size_t num_taps() const { return num_taps_; }
  std::size_t ScratchByteSize() const { return scratch_byte_size_; }
  std::size_t ByteSize() const { return padding_.ByteSize(); }

  // Calls compute(run, its first pixel in the image) for each run and each panel of `columns`
  // channels.
  template <typename Compute>
  void ForEachRun(const Conv2dGeometry& g, std::size_t columns, const T* image, std::byte* scratch,
                  const Compute& compute) const {
    const auto** taps = reinterpret_cast<const T**>(scratch);
    auto* copied = reinterpret_cast<T*>(scratch + PointersByteSize());
    const std::size_t out_width = g.OutWidth();
    const InsideColumns inside(g);
    for (std::size_t y = 0; y < g.OutHeight(); ++y) {
      for (std::size_t x = 0, count = 0; x < out_width; x += count) {
        if (is_copied_) {
          count = std::min(max_pixels_, out_width - x);
          CopyInputs(g, image, y, x, count, copied);
          SetTapsOfCopy(g, copied, taps);
        } else {
          const bool is_inside = x >= inside.begin && x < inside.end;
          count = is_inside ? std::min(max_pixels_, inside.end - x) : 1;
          SetTaps(g, image, y, x, taps);
        }
        for (std::size_t tap = g.kernel_height * g.kernel_width; tap < num_taps_; ++tap) {
          taps[tap] = taps[0];
        }
        for (std::size_t channel = 0; channel < out_channels_; channel += columns) {
          compute(
              DepthwiseRun<T>{.taps = taps,
                              .num_taps = num_taps_,
                              .num_pixels = count,
                              .pixel_step = pixel_step_,
                              .first_channel = channel,
                              .num_channels = RoundUp(std::min(columns, out_channels_ - channel),
                                                      kDepthwiseChannels),
                              .padded_channels = padded_channels_,
                              .columns = columns},
              y * out_width + x);
        }
      }
    }
  }

 private:
  // Of a run.
  static std::size_t MostPixels(std::size_t step_bytes) {
    if (step_bytes > kDepthwiseStepBytes) return 1;
    return std::clamp(kDepthwiseRunBytes / step_bytes, std::size_t{8}, kTileRows);
  }

  std::size_t PointersByteSize() const {
    return RoundUp(num_taps_ * sizeof(T*), kScratchAlignment);
  }

  // The pixel at (padded_y, padded_x) of the padded image; null where that is padding.
  static const T* PixelAt(const Conv2dGeometry& g, const T* image, std::size_t padded_y,
                          std::size_t padded_x) {
    if (padded_y < g.pad_top || padded_y - g.pad_top >= g.in_height) return nullptr;
    if (padded_x < g.pad_left || padded_x - g.pad_left >= g.in_width) return nullptr;
    return image + ((padded_y - g.pad_top) * g.in_width + padded_x - g.pad_left) * g.in_channels;
  }

  // Of the pixel (y, x), and of its neighbours as far as their windows are inside, too.
  void SetTaps(const Conv2dGeometry& g, const T* image, std::size_t y, std::size_t x,
               const T** taps) const {
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      for (std::size_t kw = 0; kw < g.kernel_width; ++kw) {
        const T* pixel = PixelAt(g, image, y * g.stride_height + kh * g.dilation_height,
                                 x * g.stride_width + kw * g.dilation_width);
        *taps++ = pixel == nullptr ? padding_.data() : pixel;
      }
    }
  }

  void SetTapsOfCopy(const Conv2dGeometry& g, const T* copied, const T** taps) const {
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      for (std::size_t kw = 0; kw < g.kernel_width; ++kw) {
        *taps++ = copied + (kh * copied_width_ + kw * g.dilation_width) * padded_channels_;
      }
    }
  }

  // The rows of input under `count` output pixels, each input channel as often as it is used.
  void CopyInputs(const Conv2dGeometry& g, const T* image, std::size_t y, std::size_t x,
                  std::size_t count, T* copied) const {
    const std::size_t width =
        (count - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1;
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      T* target = copied + kh * copied_width_ * padded_channels_;
      for (std::size_t i = 0; i < width; ++i, target += padded_channels_) {
        const T* pixel =
            PixelAt(g, image, y * g.stride_height + kh * g.dilation_height, x * g.stride_width + i);
        if (pixel == nullptr) {
          std::copy_n(padding_.data(), padded_channels_, target);
          continue;
        }
        for (std::size_t c = 0; c < g.in_channels; ++c) {
          std::fill_n(target + c * multiplier_, multiplier_, pixel[c]);
        }
        std::fill(target + out_channels_, target + padded_channels_, T{});
      }
    }
  }

  const std::size_t out_channels_;
  const std::size_t padded_channels_;
  const std::size_t multiplier_;
  const bool is_copied_;
  const std::size_t num_taps_;
  const std::size_t pixel_step_;  // of taps, from one output pixel to the next
  const std::size_t max_pixels_;  // of a run
  const AlignedArray<T> padding_;
  const std::size_t copied_width_;
  const std::size_t scratch_byte_size_;
};

}  // namespace octet::kernels
