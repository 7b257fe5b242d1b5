// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/window_conv2d.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/convolution_windows.h"
#include "kernels/packed/filter_groups.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// Windows that their parts' padding makes larger than so many times are not worth trying.
constexpr std::size_t kMostPadding = 3;

// Bytes of a packed input pixel.
std::size_t PixelBytes(const MicroKernels& micro, const Conv2dGeometry& g) {
  return g.in_channels * micro.s8->lhs_element_size;
}

// A pixel of padding, packed.
std::vector<std::byte> PackedPadding(const S8Panels& panels, const Conv2dS8Spec& spec) {
  const std::vector<std::int8_t> pixel(spec.geometry.in_channels,
                                       static_cast<std::int8_t>(spec.in_zero_point.value));
  // Aligned as pack_lhs wants it.
  AlignedArray<std::byte> packed(pixel.size() * panels.lhs_element_size);
  panels.pack_lhs(pixel.data(), 0, 1, pixel.size(), pixel.size(), packed.data());
  return {packed.data(), packed.data() + packed.size()};
}

class WindowConv2dS8 final : public Conv2dS8 {
 public:
  WindowConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec, bool is_short)
      : micro_(WithoutManyRows(micro)),
        panels_(*micro.s8),
        geometry_(spec.geometry),
        windows_(geometry_, spec.is_open, PackedPadding(panels_, spec),
                 panels_.k_multiple * panels_.lhs_element_size,
                 is_short
                     ? kTileRows
                     : ConvolutionWindows::MostPixels(geometry_, PixelBytes(micro, geometry_))),
        kind_(spec.epilogue.kind),
        provider_(std::string(panels_.name) + (is_short ? " short windows" : " windows")) {
    for (std::size_t group = 0; group < geometry_.groups; ++group) {
      S8Product::Spec product = GroupProduct(spec, group);
      product.num_segments = windows_.segments().count;
      products_.push_back(std::make_unique<S8Product>(micro_, product));
    }
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    std::size_t size = windows_.ByteSize();
    for (const auto& product : products_) size += product->PackedByteSize();
    return size;
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const std::size_t group_bytes = g.in_channels / g.groups * panels_.lhs_element_size;
    const std::size_t group_channels = g.out_channels / g.groups;
    const OutputBytes out = OutputOf(kind_, a.out);
    const auto pack = [this](const std::int8_t* values, std::size_t size, std::byte* packed) {
      panels_.pack_lhs(values, 0, 1, size, size, packed);
    };
    windows_.ForEachBlock(g, a.num_images, a.in.data(), a.scratch.data(), pack,
                          [&](const ConvolutionWindows::Block& block) {
                            for (std::size_t group = 0; group < g.groups; ++group) {
                              const std::size_t index =
                                  block.first_pixel * g.out_channels + group * group_channels;
                              products_[group]->Run(panels_,
                                                    {.lhs = block.inputs + group * group_bytes,
                                                     .row_offset = block.row_offset,
                                                     .segment_offset = block.segment_offset,
                                                     .count = block.count,
                                                     .out = out.data + index * out.element_size,
                                                     .out_stride = g.out_channels,
                                                     .out_element_size = out.element_size},
                                                    ScaleOfImage(a.row_scale, block.image));
                            }
                          });
  }

 private:
  const MicroKernels micro_;  // the products refer to it
  const S8Panels& panels_;
  const Conv2dGeometry geometry_;
  const ConvolutionWindows windows_;
  const EpilogueKind kind_;
  const std::string provider_;
  std::vector<std::unique_ptr<const S8Product>> products_;  // one a group
};

}  // namespace

WindowFit FitWindows(const MicroKernels& micro, const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  const WindowSegments segments(g);
  const std::size_t padded = segments.count * RoundUp(segments.size, micro.s8->k_multiple);
  const MicroKernels few = WithoutManyRows(micro);
  WindowFit fit;
  fit.is_possible = padded <= kMostPadding * RowSize(g);
  for (std::size_t group = 0; group < g.groups && fit.is_possible; ++group) {
    fit.is_possible = S8Product::TakesSegments(few, GroupProduct(spec, group));
  }
  fit.is_usual = fit.is_possible && 2 * padded <= 3 * RowSize(g) && micro.s8_many_rows == nullptr;
  fit.is_long = std::min(ConvolutionWindows::MostPixels(g, PixelBytes(micro, g)),
                         g.OutHeight() * g.OutWidth()) > kTileRows;
  return fit;
}

std::unique_ptr<const Conv2dS8> MakeWindowConv2dS8(const MicroKernels& micro,
                                                   const Conv2dS8Spec& spec, bool is_short) {
  return std::make_unique<WindowConv2dS8>(micro, spec, is_short);
}

}  // namespace octet::kernels
