// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/conv2d_s16.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/packed/convolution_windows.h"
#include "kernels/packed/depthwise.h"
#include "kernels/packed/filter_groups.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s16_product.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

class WindowConv2dS16 final : public Conv2dS16 {
 public:
  WindowConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec)
      : geometry_(spec.geometry),
        windows_(geometry_, spec.is_open,
                 std::vector<std::byte>(geometry_.in_channels * sizeof(std::int16_t)),
                 kS16Interleave * sizeof(std::int16_t),
                 ConvolutionWindows::MostPixels(geometry_,
                                                geometry_.in_channels * sizeof(std::int16_t))),
        kind_(spec.epilogue.kind),
        provider_(std::string(micro.s16->name) + " windows") {
    for (std::size_t group = 0; group < geometry_.groups; ++group) {
      S16Product::Spec product = GroupProduct(spec, group);
      product.num_segments = windows_.segments().count;
      products_.push_back(std::make_unique<S16Product>(micro, product));
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
    const std::size_t group_bytes = g.in_channels / g.groups * sizeof(std::int16_t);
    const std::size_t group_channels = g.out_channels / g.groups;
    const OutputBytes out = OutputOf(kind_, a.out);
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    const auto copy = [](const std::int16_t* values, std::size_t size, std::byte* packed) {
      std::memcpy(packed, values, size * sizeof(std::int16_t));
    };
    windows_.ForEachBlock(g, a.num_images, a.in.data(), a.scratch.data(), copy,
                          [&](const ConvolutionWindows::Block& block) {
                            for (std::size_t group = 0; group < g.groups; ++group) {
                              const std::size_t index =
                                  block.first_pixel * pitch + group * group_channels;
                              products_[group]->Run({.lhs = block.inputs + group * group_bytes,
                                                     .row_offset = block.row_offset,
                                                     .segment_offset = block.segment_offset,
                                                     .count = block.count,
                                                     .out = out.data + index * out.element_size,
                                                     .out_stride = pitch,
                                                     .out_element_size = out.element_size});
                            }
                          });
  }

 private:
  const Conv2dGeometry geometry_;
  const ConvolutionWindows windows_;
  const EpilogueKind kind_;
  const std::string provider_;
  std::vector<std::unique_ptr<const S16Product>> products_;  // one a group
};

}  // namespace

Prepared<Conv2dS16> PreparePackedConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec) {
  if (std::string error = CheckConv2dS16(spec); !error.empty()) return {nullptr, std::move(error)};
  if (IsDepthwise(spec.geometry)) return {MakeDepthwiseConv2dS16(micro, spec), ""};
  return {std::make_unique<WindowConv2dS16>(micro, spec), ""};
}

}  // namespace octet::kernels
