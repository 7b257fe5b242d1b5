// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/window_conv2d.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/convolution_windows.h"
#include "kernels/packed/filter_groups.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s16_product.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// Windows that their parts' padding makes larger than so many times are not worth trying.
constexpr std::size_t kMostPadding = 3;

// What the values' type decides: how pixels are packed, and the product that they meet.
class S8Arithmetic {
 public:
  using Kernel = Conv2dS8;
  using Spec = Conv2dS8Spec;
  using Value = std::int8_t;
  using Product = S8Product;

  explicit S8Arithmetic(const MicroKernels& micro)
      : micro_(WithoutManyRows(micro)), panels_(*micro.s8) {}

  const S8Panels& panels() const { return panels_; }
  std::size_t value_bytes() const { return panels_.lhs_element_size; }
  std::size_t k_multiple() const { return panels_.k_multiple; }
  static Value Padding(const Spec& spec) { return static_cast<Value>(spec.in_zero_point.value); }
  void Pack(const Value* values, std::size_t size, std::byte* packed) const {
    panels_.pack_lhs(values, 0, 1, size, size, packed);
  }

  std::unique_ptr<const Product> MakeProduct(const Product::Spec& spec) const {
    return std::make_unique<Product>(micro_, spec);
  }
  void Multiply(const Product& product, const InputRows& rows, const Kernel::Arguments& a,
                std::size_t image) const {
    product.Run(panels_, rows, ScaleOfImage(a.row_scale, image));
  }

 private:
  const MicroKernels micro_;  // the products refer to it
  const S8Panels& panels_;
};

class S16Arithmetic {
 public:
  using Kernel = Conv2dS16;
  using Spec = Conv2dS16Spec;
  using Value = std::int16_t;
  using Product = S16Product;

  explicit S16Arithmetic(const MicroKernels& micro) : micro_(micro) {}

  const S16Panels& panels() const { return *micro_.s16; }
  static std::size_t value_bytes() { return sizeof(Value); }
  static std::size_t k_multiple() { return kS16Interleave; }
  static Value Padding(const Spec&) { return 0; }
  static void Pack(const Value* values, std::size_t size, std::byte* packed) {
    std::memcpy(packed, values, size * sizeof(Value));
  }

  std::unique_ptr<const Product> MakeProduct(const Product::Spec& spec) const {
    return std::make_unique<Product>(micro_, spec);
  }
  static void Multiply(const Product& product, const InputRows& rows, const Kernel::Arguments&,
                       std::size_t /*image*/) {
    product.Run(rows);
  }

 private:
  const MicroKernels& micro_;
};

// A pixel of padding, packed.
template <typename Arithmetic>
std::vector<std::byte> PackedPadding(const Arithmetic& arithmetic,
                                     const typename Arithmetic::Spec& spec) {
  const std::vector<typename Arithmetic::Value> pixel(spec.geometry.in_channels,
                                                      Arithmetic::Padding(spec));
  // Aligned as Pack wants it.
  AlignedArray<std::byte> packed(pixel.size() * arithmetic.value_bytes());
  arithmetic.Pack(pixel.data(), pixel.size(), packed.data());
  return {packed.data(), packed.data() + packed.size()};
}

template <typename Arithmetic>
class WindowConv2d final : public Arithmetic::Kernel {
 public:
  WindowConv2d(const MicroKernels& micro, const typename Arithmetic::Spec& spec, bool is_short)
      : arithmetic_(micro),
        geometry_(spec.geometry),
        windows_(geometry_, spec.is_open, PackedPadding(arithmetic_, spec),
                 arithmetic_.k_multiple() * arithmetic_.value_bytes(),
                 is_short ? kTileRows
                          : ConvolutionWindows::MostPixels(
                                geometry_, geometry_.in_channels * arithmetic_.value_bytes())),
        kind_(spec.epilogue.kind),
        provider_(std::string(arithmetic_.panels().name) +
                  (is_short ? " short windows" : " windows")) {
    for (std::size_t group = 0; group < geometry_.groups; ++group) {
      auto product = GroupProduct(spec, group);
      product.num_segments = windows_.segments().count;
      products_.push_back(arithmetic_.MakeProduct(product));
    }
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    std::size_t size = windows_.ByteSize();
    for (const auto& product : products_) size += product->PackedByteSize();
    return size;
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const typename Arithmetic::Kernel::Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const std::size_t group_bytes = g.in_channels / g.groups * arithmetic_.value_bytes();
    const std::size_t group_channels = g.out_channels / g.groups;
    const OutputBytes out = OutputOf(kind_, a.out);
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    const auto pack = [this](const typename Arithmetic::Value* values, std::size_t size,
                             std::byte* packed) { arithmetic_.Pack(values, size, packed); };
    windows_.ForEachBlock(g, a.num_images, a.in.data(), a.scratch.data(), pack,
                          [&](const ConvolutionWindows::Block& block) {
                            for (std::size_t group = 0; group < g.groups; ++group) {
                              const std::size_t index =
                                  block.first_pixel * pitch + group * group_channels;
                              arithmetic_.Multiply(*products_[group],
                                                   {.lhs = block.inputs + group * group_bytes,
                                                    .row_offset = block.row_offset,
                                                    .segment_offset = block.segment_offset,
                                                    .count = block.count,
                                                    .out = out.data + index * out.element_size,
                                                    .out_stride = pitch,
                                                    .out_element_size = out.element_size},
                                                   a, block.image);
                            }
                          });
  }

 private:
  const Arithmetic arithmetic_;
  const Conv2dGeometry geometry_;
  const ConvolutionWindows windows_;
  const EpilogueKind kind_;
  const std::string provider_;
  std::vector<std::unique_ptr<const typename Arithmetic::Product>> products_;  // one a group
};

}  // namespace

WindowFit FitWindows(const MicroKernels& micro, const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  const WindowSegments segments(g);
  const std::size_t padded = segments.count * RoundUp(segments.size, micro.s8->k_multiple);
  const MicroKernels few = WithoutManyRows(micro);
  const std::size_t pixel_bytes = g.in_channels * micro.s8->lhs_element_size;
  WindowFit fit;
  fit.is_possible = padded <= kMostPadding * RowSize(g) &&
                    ConvolutionWindows::IsPossible(g, spec.is_open, pixel_bytes);
  for (std::size_t group = 0; group < g.groups && fit.is_possible; ++group) {
    fit.is_possible = S8Product::TakesSegments(few, GroupProduct(spec, group));
  }
  fit.is_usual = fit.is_possible && 2 * padded <= 3 * RowSize(g) && micro.s8_many_rows == nullptr;
  fit.is_long = std::min(ConvolutionWindows::MostPixels(g, pixel_bytes),
                         g.OutHeight() * g.OutWidth()) > kTileRows;
  return fit;
}

std::unique_ptr<const Conv2dS8> MakeWindowConv2dS8(const MicroKernels& micro,
                                                   const Conv2dS8Spec& spec, bool is_short) {
  return std::make_unique<WindowConv2d<S8Arithmetic>>(micro, spec, is_short);
}

Prepared<Conv2dS16> PrepareWindowConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec) {
  const std::size_t pixel_bytes = spec.geometry.in_channels * sizeof(std::int16_t);
  if (!ConvolutionWindows::IsPossible(spec.geometry, spec.is_open, pixel_bytes)) {
    return {nullptr,
            "neighbouring outputs of the convolution see 4 GiB or more of the padded image, wants "
            "less"};
  }
  return {std::make_unique<WindowConv2d<S16Arithmetic>>(micro, spec, false), ""};
}

}  // namespace octet::kernels
