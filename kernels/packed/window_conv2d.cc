// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/window_conv2d.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/filter_groups.h"
#include "kernels/packed/image_to_rows.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// Output pixels that are computed from one copy of their inputs: as many as leave the copy in L2,
// beside weights.
constexpr std::size_t kMostPixels = 4 * kTileRows;
constexpr std::size_t kCopyBytes = std::size_t{96} << 10;

// What a row of the kernel sees, or, where its taps are no neighbours, what a tap sees.
struct Segments {
  explicit Segments(const Conv2dGeometry& g)
      : are_lines(g.groups == 1 && g.dilation_width == 1),
        count(g.kernel_height * (are_lines ? 1 : g.kernel_width)),
        size((are_lines ? g.kernel_width : 1) * (g.in_channels / g.groups)) {}
  bool are_lines;
  std::size_t count;
  std::size_t size;
};

// Pixels of one line: a convolution that looks at one pixel only need not know of lines.
Conv2dGeometry Flattened(const Conv2dGeometry& g) {
  Conv2dGeometry flat = g;
  if (IsPointwise(g)) {
    flat.in_width = g.in_height * g.in_width;
    flat.in_height = 1;
  }
  return flat;
}

// The inputs of `rows` x `columns` output pixels.
struct Rectangle {
  Rectangle(const Conv2dGeometry& g, std::size_t rows, std::size_t columns)
      : height((rows - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1),
        width((columns - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1) {}
  std::size_t height;
  std::size_t width;
};

// Output pixels that are taken together: whole lines, or a part of one.
struct Block {
  Block(std::size_t most_pixels, std::size_t out_width)
      : rows(std::max(std::size_t{1}, most_pixels / out_width)),
        columns(std::min(most_pixels, out_width)) {}
  std::size_t rows;
  std::size_t columns;
};

class WindowConv2dS8 final : public Conv2dS8 {
 public:
  WindowConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec)
      : panels_(*micro.s8),
        geometry_(spec.geometry),
        is_open_(spec.is_open),
        segments_(geometry_),
        pixel_bytes_(geometry_.in_channels * panels_.lhs_element_size),
        most_pixels_(MostPixels()),
        kind_(spec.epilogue.kind),
        provider_(std::string(panels_.name) + " windows") {
    for (std::size_t group = 0; group < geometry_.groups; ++group) {
      S8Product::Spec product = GroupProduct(spec, group);
      product.num_segments = segments_.count;
      products_.push_back(std::make_unique<S8Product>(micro, product));
    }
    const std::vector<std::int8_t> pixel(geometry_.in_channels,
                                         static_cast<std::int8_t>(spec.in_zero_point.value));
    padding_ = AlignedArray<std::byte>(pixel_bytes_);
    panels_.pack_lhs(pixel.data(), 0, 1, pixel.size(), pixel.size(), padding_.data());
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    std::size_t size = padding_.ByteSize();
    for (const auto& product : products_) size += product->PackedByteSize();
    return size;
  }
  std::size_t ScratchByteSize(std::size_t) const override {
    std::size_t pixels = 0;
    if (is_open_) {
      for (std::size_t width = 1; width <= most_pixels_; ++width) {
        pixels = std::max(pixels, InputPixels(geometry_, Block(most_pixels_, width)));
      }
    } else {
      const Conv2dGeometry g = Flattened(geometry_);
      pixels = InputPixels(g, BlockOf(g));
    }
    // The last segment is read as far as it is padded.
    const std::size_t slack = panels_.k_multiple * panels_.lhs_element_size;
    return OffsetsByteSize() + RoundUp(pixels * pixel_bytes_ + slack, kScratchAlignment);
  }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry g = Flattened(RunGeometry(a.geometry, geometry_));
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const Block block = BlockOf(g);
    const Rectangle rectangle(g, block.rows, block.columns);
    const std::size_t line_bytes = rectangle.width * pixel_bytes_;
    auto* row_offset = reinterpret_cast<std::uint32_t*>(a.scratch.data());
    auto* segment_offset = row_offset + kMostPixels;
    SetSegmentOffsets(g, line_bytes, segment_offset);
    std::byte* copy = a.scratch.data() + OffsetsByteSize();
    const OutputBytes out = OutputOf(kind_, a.out);
    std::size_t columns_of_offsets = 0;
    for (std::size_t image = 0; image < a.num_images; ++image) {
      for (std::size_t y = 0; y < g.OutHeight(); y += block.rows) {
        const std::size_t rows = std::min(block.rows, g.OutHeight() - y);
        for (std::size_t x = 0; x < g.OutWidth(); x += block.columns) {
          const std::size_t columns = std::min(block.columns, g.OutWidth() - x);
          if (columns != columns_of_offsets) {
            SetRowOffsets(g, block.rows, columns, line_bytes, row_offset);
            columns_of_offsets = columns;
          }
          CopyInputs(g, a.in.data() + image * g.InSize(), y, x, Rectangle(g, rows, columns),
                     line_bytes, copy);
          const std::size_t pixel = (image * g.OutHeight() + y) * g.OutWidth() + x;
          for (std::size_t group = 0; group < g.groups; ++group) {
            const std::size_t channel = group * (g.out_channels / g.groups);
            products_[group]->Run(
                {.panels = &panels_,
                 .lhs = copy + group * (pixel_bytes_ / g.groups),
                 .row_offset = row_offset,
                 .segment_offset = segment_offset,
                 .count = rows * columns,
                 .first_row = 0,
                 .rows_per_scale = std::numeric_limits<std::size_t>::max(),
                 .row_scale = a.row_scale.data() + (a.row_scale.empty() ? 0 : image),
                 .out = out.data + (pixel * g.out_channels + channel) * out.element_size,
                 .out_stride = g.out_channels,
                 .out_element_size = out.element_size});
          }
        }
      }
    }
  }

 private:
  // Bytes of the offsets of rows and segments.
  std::size_t OffsetsByteSize() const {
    return RoundUp((kMostPixels + segments_.count) * sizeof(std::uint32_t), kScratchAlignment);
  }

  static std::size_t InputPixels(const Conv2dGeometry& g, const Block& block) {
    const Rectangle rectangle(g, block.rows, block.columns);
    return rectangle.height * rectangle.width;
  }

  // As many output pixels of one line as their inputs have room.
  std::size_t MostPixels() const {
    std::size_t pixels = kMostPixels;
    while (pixels > kTileRows &&
           InputPixels(geometry_, Block(pixels, pixels)) * pixel_bytes_ > kCopyBytes) {
      pixels /= 2;
    }
    return pixels;
  }

  Block BlockOf(const Conv2dGeometry& g) const {
    Block block(most_pixels_, g.OutWidth());
    block.rows = std::min(block.rows, g.OutHeight());
    return block;
  }

  void SetSegmentOffsets(const Conv2dGeometry& g, std::size_t line_bytes,
                         std::uint32_t* offset) const {
    for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
      for (std::size_t kw = 0; kw < (segments_.are_lines ? 1 : g.kernel_width); ++kw) {
        *offset++ = static_cast<std::uint32_t>(kh * g.dilation_height * line_bytes +
                                               kw * g.dilation_width * pixel_bytes_);
      }
    }
  }

  void SetRowOffsets(const Conv2dGeometry& g, std::size_t rows, std::size_t columns,
                     std::size_t line_bytes, std::uint32_t* offset) const {
    for (std::size_t y = 0; y < rows; ++y) {
      for (std::size_t x = 0; x < columns; ++x) {
        *offset++ = static_cast<std::uint32_t>(y * g.stride_height * line_bytes +
                                               x * g.stride_width * pixel_bytes_);
      }
    }
  }

  void Pad(std::size_t pixels, std::byte* out) const {
    for (std::size_t i = 0; i < pixels; ++i) {
      std::memcpy(out + i * pixel_bytes_, padding_.data(), pixel_bytes_);
    }
  }

  // What the output pixels from (y, x) on see, packed, with padding where the image ends.
  void CopyInputs(const Conv2dGeometry& g, const std::int8_t* image, std::size_t y, std::size_t x,
                  const Rectangle& rectangle, std::size_t line_bytes, std::byte* out) const {
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
      const std::size_t size = (end - begin) * g.in_channels;
      panels_.pack_lhs(image + first * g.in_channels, 0, 1, size, size,
                       out + (begin - left) * pixel_bytes_);
      Pad(right - end, out + (end - left) * pixel_bytes_);
    }
  }

  const S8Panels& panels_;
  const Conv2dGeometry geometry_;
  const bool is_open_;
  const Segments segments_;
  const std::size_t pixel_bytes_;  // packed
  const std::size_t most_pixels_;
  const EpilogueKind kind_;
  const std::string provider_;
  AlignedArray<std::byte> padding_;                         // one packed pixel
  std::vector<std::unique_ptr<const S8Product>> products_;  // one a group
};

}  // namespace

std::unique_ptr<const Conv2dS8> MakeWindowConv2dS8(const MicroKernels& micro,
                                                   const Conv2dS8Spec& spec) {
  const Segments segments(spec.geometry);
  const std::size_t padded = segments.count * RoundUp(segments.size, micro.s8->k_multiple);
  const bool is_mostly_padding = 2 * padded > 3 * RowSize(spec.geometry);
  if (is_mostly_padding || !S8Product::TakesSegments(micro, GroupProduct(spec, 0))) return nullptr;
  return std::make_unique<WindowConv2dS8>(micro, spec);
}

}  // namespace octet::kernels
