// SPDX-License-Identifier: Apache-2.0
// Where a convolution's products find their inputs: block by block of output pixels, whose inputs
// are copied once, with padding, and read where they lie by all windows. Private to this room.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/conv2d.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// What a row of the kernel sees, or, where its taps are no neighbours, what a tap sees.
struct WindowSegments {
  explicit WindowSegments(const Conv2dGeometry& g);
  bool are_lines;
  std::size_t count;
  std::size_t size;  // values
};

class ConvolutionWindows {
 public:
  // As many output pixels as their inputs, of `pixel_bytes` each when packed, leave room in L2.
  static std::size_t MostPixels(const Conv2dGeometry& geometry, std::size_t pixel_bytes);

  // Whether the inputs of such a block lie within PanelInputs' offsets of 32 bits.
  static bool IsPossible(const Conv2dGeometry& geometry, bool is_open, std::size_t pixel_bytes);

  // Precondition: IsPossible. `padding` is one packed pixel. The last segment is read for `slack`
  // bytes beyond its values. A block has `most_pixels` or fewer, which is what MostPixels says, or
  // less.
  ConvolutionWindows(const Conv2dGeometry& geometry, bool is_open,
                     std::span<const std::byte> padding, std::size_t slack,
                     std::size_t most_pixels);

  const WindowSegments& segments() const { return segments_; }
  std::size_t ByteSize() const { return padding_.ByteSize(); }
  std::size_t ScratchByteSize() const;

  // Some output pixels and their inputs, as PanelInputs says.
  struct Block {
    const std::byte* inputs;
    const std::uint32_t* row_offset;
    const std::uint32_t* segment_offset;
    std::size_t count;
    std::size_t image;
    std::size_t first_pixel;  // over all images
  };

  // Calls compute(block) for each block. pack(values, size, out) packs `size` values of `in`, which
  // holds num_images images of `geometry`, a run's.
  template <typename T, typename Pack, typename Compute>
  void ForEachBlock(const Conv2dGeometry& geometry, std::size_t num_images, const T* in,
                    std::byte* scratch, const Pack& pack, const Compute& compute) const {
    const Conv2dGeometry g = Flattened(geometry);
    const BlockSize block = BlockSizeOf(g, most_pixels_);
    const std::size_t line_bytes = Rectangle(g, block.rows, block.columns).width * pixel_bytes_;
    auto* row_offset = reinterpret_cast<std::uint32_t*>(scratch);
    auto* segment_offset = row_offset + kMostPixels;
    SetSegmentOffsets(g, line_bytes, segment_offset);
    std::byte* copy = scratch + OffsetsByteSize();
    std::size_t columns_of_offsets = 0;
    for (std::size_t image = 0; image < num_images; ++image) {
      for (std::size_t y = 0; y < g.OutHeight(); y += block.rows) {
        const std::size_t rows = std::min(block.rows, g.OutHeight() - y);
        for (std::size_t x = 0; x < g.OutWidth(); x += block.columns) {
          const std::size_t columns = std::min(block.columns, g.OutWidth() - x);
          if (columns != columns_of_offsets) {
            SetRowOffsets(g, block.rows, columns, line_bytes, row_offset);
            columns_of_offsets = columns;
          }
          CopyInputs(g, in + image * g.InSize(), y, x, Rectangle(g, rows, columns), line_bytes,
                     pack, copy);
          compute(Block{.inputs = copy,
                        .row_offset = row_offset,
                        .segment_offset = segment_offset,
                        .count = rows * columns,
                        .image = image,
                        .first_pixel = (image * g.OutHeight() + y) * g.OutWidth() + x});
        }
      }
    }
  }

 private:
  // The inputs of `rows` x `columns` output pixels.
  struct Rectangle {
    Rectangle(const Conv2dGeometry& g, std::size_t rows, std::size_t columns);
    std::size_t height;
    std::size_t width;
  };

  // Output pixels that are taken together: whole lines, or a part of one.
  struct BlockSize {
    BlockSize(std::size_t most_pixels, std::size_t out_width);
    std::size_t rows;
    std::size_t columns;
  };

  // Output pixels that are computed from one copy of their inputs, at most.
  static constexpr std::size_t kMostPixels = 4 * kTileRows;

  // Pixels of one line: a convolution that looks at one pixel only need not know of lines.
  static Conv2dGeometry Flattened(const Conv2dGeometry& g);
  // Pixels that a block sees; the largest number where they are even more.
  static std::size_t InputPixels(const Conv2dGeometry& g, const BlockSize& block);
  // The same of any block of images of `geometry`'s size, or, where it is open, of any.
  static std::size_t MostInputPixels(const Conv2dGeometry& geometry, bool is_open,
                                     std::size_t most_pixels);
  static BlockSize BlockSizeOf(const Conv2dGeometry& g, std::size_t most_pixels);
  // Bytes of the offsets of rows and segments.
  std::size_t OffsetsByteSize() const;
  void SetSegmentOffsets(const Conv2dGeometry& g, std::size_t line_bytes,
                         std::uint32_t* offset) const;
  void SetRowOffsets(const Conv2dGeometry& g, std::size_t rows, std::size_t columns,
                     std::size_t line_bytes, std::uint32_t* offset) const;
  void Pad(std::size_t pixels, std::byte* out) const;

  // What the output pixels from (y, x) on see, packed, with padding where the image ends.
  template <typename T, typename Pack>
  void CopyInputs(const Conv2dGeometry& g, const T* image, std::size_t y, std::size_t x,
                  const Rectangle& rectangle, std::size_t line_bytes, const Pack& pack,
                  std::byte* out) const {
    // Of the padded image.
    const std::size_t top = y * g.stride_height;
    const std::size_t left = x * g.stride_width;
    const std::size_t right = left + rectangle.width;
    const std::size_t begin = std::clamp(g.pad_left, left, right);
    const std::size_t end = std::clamp(g.pad_left + g.in_width, begin, right);
    for (std::size_t line = 0; line < rectangle.height; ++line, out += line_bytes) {
      const std::size_t padded_y = top + line;
      if (padded_y < g.pad_top || padded_y - g.pad_top >= g.in_height || begin == end) {
        Pad(rectangle.width, out);
        continue;
      }
      Pad(begin - left, out);
      const std::size_t first = (padded_y - g.pad_top) * g.in_width + (begin - g.pad_left);
      pack(image + first * g.in_channels, (end - begin) * g.in_channels,
           out + (begin - left) * pixel_bytes_);
      Pad(right - end, out + (end - left) * pixel_bytes_);
    }
  }

  const Conv2dGeometry geometry_;
  const bool is_open_;
  const WindowSegments segments_;
  const std::size_t pixel_bytes_;  // packed
  const std::size_t slack_;
  const std::size_t most_pixels_;
  AlignedArray<std::byte> padding_;  // one packed pixel
};

}  // namespace octet::kernels
