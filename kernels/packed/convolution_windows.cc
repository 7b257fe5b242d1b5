// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/convolution_windows.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/packed/image_to_rows.h"

namespace octet::kernels {
namespace {

// As many pixels as leave the copy in L2, beside weights.
constexpr std::size_t kCopyBytes = std::size_t{96} << 10;

}  // namespace

WindowSegments::WindowSegments(const Conv2dGeometry& g)
    : are_lines(g.groups == 1 && g.dilation_width == 1),
      count(g.kernel_height * (are_lines ? 1 : g.kernel_width)),
      size((are_lines ? g.kernel_width : 1) * (g.in_channels / g.groups)) {}

ConvolutionWindows::Rectangle::Rectangle(const Conv2dGeometry& g, std::size_t rows,
                                         std::size_t columns)
    : height((rows - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1),
      width((columns - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1) {}

ConvolutionWindows::BlockSize::BlockSize(std::size_t most_pixels, std::size_t out_width)
    : rows(std::max(std::size_t{1}, most_pixels / out_width)),
      columns(std::min(most_pixels, out_width)) {}

ConvolutionWindows::ConvolutionWindows(const Conv2dGeometry& geometry, bool is_open,
                                       std::span<const std::byte> padding, std::size_t slack,
                                       std::size_t most_pixels)
    : geometry_(geometry),
      is_open_(is_open),
      segments_(geometry),
      pixel_bytes_(padding.size()),
      slack_(slack),
      most_pixels_(most_pixels),
      padding_(padding.size()) {
  std::copy(padding.begin(), padding.end(), padding_.data());
}

Conv2dGeometry ConvolutionWindows::Flattened(const Conv2dGeometry& g) {
  Conv2dGeometry flat = g;
  if (IsPointwise(g)) {
    flat.in_width = g.in_height * g.in_width;
    flat.in_height = 1;
  }
  return flat;
}

std::size_t ConvolutionWindows::InputPixels(const Conv2dGeometry& g, const BlockSize& block) {
  const Rectangle rectangle(g, block.rows, block.columns);
  std::size_t pixels = 0;
  return __builtin_mul_overflow(rectangle.height, rectangle.width, &pixels) ? SIZE_MAX : pixels;
}

std::size_t ConvolutionWindows::MostPixels(const Conv2dGeometry& geometry,
                                           std::size_t pixel_bytes) {
  std::size_t pixels = kMostPixels;
  while (pixels > kTileRows &&
         InputPixels(geometry, BlockSize(pixels, pixels)) > kCopyBytes / pixel_bytes) {
    pixels /= 2;
  }
  return pixels;
}

ConvolutionWindows::BlockSize ConvolutionWindows::BlockSizeOf(const Conv2dGeometry& g,
                                                              std::size_t most_pixels) {
  BlockSize block(most_pixels, g.OutWidth());
  block.rows = std::min(block.rows, g.OutHeight());
  return block;
}

std::size_t ConvolutionWindows::MostInputPixels(const Conv2dGeometry& geometry, bool is_open,
                                                std::size_t most_pixels) {
  if (!is_open) {
    const Conv2dGeometry g = Flattened(geometry);
    return InputPixels(g, BlockSizeOf(g, most_pixels));
  }
  std::size_t pixels = 0;
  for (std::size_t width = 1; width <= most_pixels; ++width) {
    pixels = std::max(pixels, InputPixels(geometry, BlockSize(most_pixels, width)));
  }
  return pixels;
}

bool ConvolutionWindows::IsPossible(const Conv2dGeometry& geometry, bool is_open,
                                    std::size_t pixel_bytes) {
  const std::size_t most_pixels = MostPixels(geometry, pixel_bytes);
  return MostInputPixels(geometry, is_open, most_pixels) <= UINT32_MAX / pixel_bytes;
}

std::size_t ConvolutionWindows::OffsetsByteSize() const {
  return RoundUp((kMostPixels + segments_.count) * sizeof(std::uint32_t), kScratchAlignment);
}

std::size_t ConvolutionWindows::ScratchByteSize() const {
  const std::size_t pixels = MostInputPixels(geometry_, is_open_, most_pixels_);
  return OffsetsByteSize() + RoundUp(pixels * pixel_bytes_ + slack_, kScratchAlignment);
}

void ConvolutionWindows::SetSegmentOffsets(const Conv2dGeometry& g, std::size_t line_bytes,
                                           std::uint32_t* offset) const {
  for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
    for (std::size_t kw = 0; kw < (segments_.are_lines ? 1 : g.kernel_width); ++kw) {
      *offset++ = static_cast<std::uint32_t>(kh * g.dilation_height * line_bytes +
                                             kw * g.dilation_width * pixel_bytes_);
    }
  }
}

void ConvolutionWindows::SetRowOffsets(const Conv2dGeometry& g, std::size_t rows,
                                       std::size_t columns, std::size_t line_bytes,
                                       std::uint32_t* offset) const {
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < columns; ++x) {
      *offset++ = static_cast<std::uint32_t>(y * g.stride_height * line_bytes +
                                             x * g.stride_width * pixel_bytes_);
    }
  }
}

void ConvolutionWindows::Pad(std::size_t pixels, std::byte* out) const {
  for (std::size_t i = 0; i < pixels; ++i) {
    std::memcpy(out + i * pixel_bytes_, padding_.data(), pixel_bytes_);
  }
}

}  // namespace octet::kernels
