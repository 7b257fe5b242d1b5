// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/depthwise.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// [taps, channels] with the channels padded to whole panels.
template <typename T>
AlignedArray<T> PadFilter(const Conv2dGeometry& g, std::span<const T> filter,
                          std::size_t padded_channels) {
  const std::size_t taps = g.kernel_height * g.kernel_width;
  AlignedArray<T> padded(taps * padded_channels);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    std::copy_n(filter.data() + tap * g.out_channels, g.out_channels,
                padded.data() + tap * padded_channels);
  }
  return padded;
}

// Calls run(tile, index of its first output in the image) for each tile of one
// image.
template <typename Run>
void ForEachTile(const Conv2dGeometry& g, std::size_t columns, std::size_t padded_channels,
                 const Run& run) {
  const std::size_t out_width = g.OutWidth();
  for (std::size_t y = 0; y < g.OutHeight(); ++y) {
    for (std::size_t x = 0; x < out_width; x += kTileRows) {
      for (std::size_t channel = 0; channel < g.out_channels; channel += columns) {
        run(DepthwiseTile{.geometry = &g,
                          .multiplier = g.out_channels / g.in_channels,
                          .padded_channels = padded_channels,
                          .first_channel = channel,
                          .num_channels = std::min(columns, g.out_channels - channel),
                          .y = y,
                          .first_x = x,
                          .num_pixels = std::min(kTileRows, out_width - x)},
            (y * out_width + x) * g.out_channels + channel);
      }
    }
  }
}

class DepthwiseConv2dS8 final : public Conv2dS8 {
 public:
  DepthwiseConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec)
      : micro_(micro),
        geometry_(spec.geometry),
        padded_channels_(RoundUp(geometry_.out_channels, micro.s8->columns)),
        zero_point_(spec.in_zero_point.value),
        kind_(spec.epilogue.kind),
        filter_(PadFilter(geometry_, spec.filter, padded_channels_)),
        // The loops take the zero point away themselves: there is nothing to
        // correct.
        epilogue_(spec.epilogue, padded_channels_,
                  std::vector<std::int32_t>(geometry_.out_channels), 0),
        provider_(std::string(micro.s8->name) + " depthwise") {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return filter_.ByteSize() + epilogue_.ByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    const OutputBytes out = OutputOf(kind_, a.out);
    alignas(64) std::int32_t sums[kTileRows * kMaxColumns];
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const std::int8_t* in = a.in.data() + image * g.InSize();
      ForEachTile(g, micro_.s8->columns, padded_channels_,
                  [&](const DepthwiseTile& tile, std::size_t index) {
                    micro_.depthwise_s8(tile, in, zero_point_, filter_.data(), sums);
                    micro_.store_s8(
                        epilogue_.table(),
                        {.rows = tile.num_pixels,
                         .first_channel = tile.first_channel,
                         .num_channels = tile.num_channels,
                         .first_row = 0,
                         .rows_per_scale = std::numeric_limits<std::size_t>::max(),
                         .row_scale = a.row_scale.data() + (a.row_scale.empty() ? 0 : image),
                         .out = out.data + (image * g.OutSize() + index) * out.element_size,
                         .out_stride = g.out_channels},
                        sums);
                  });
    }
  }

 private:
  const MicroKernels& micro_;
  const Conv2dGeometry geometry_;
  const std::size_t padded_channels_;
  const std::int32_t zero_point_;
  const EpilogueKind kind_;
  const AlignedArray<std::int8_t> filter_;
  const PaddedEpilogue epilogue_;
  const std::string provider_;
};

class DepthwiseConv2dF32 final : public Conv2dF32 {
 public:
  DepthwiseConv2dF32(const MicroKernels& micro, const Conv2dF32Spec& spec, const std::string& note)
      : micro_(micro),
        geometry_(spec.geometry),
        padded_channels_(RoundUp(geometry_.out_channels, micro.f32->columns)),
        filter_(PadFilter(geometry_, spec.filter, padded_channels_)),
        bias_(padded_channels_, -0.0F),
        activation_(spec.activation),
        provider_(std::string(micro.f32->name) + " depthwise" + note) {
    std::copy(spec.bias.begin(), spec.bias.end(), bias_.data());
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return filter_.ByteSize() + bias_.ByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    const F32EpilogueTable table = {.scaling = F32EpilogueTable::Scaling::kNone,
                                    .scale = nullptr,
                                    .bias = bias_.data(),
                                    .activation = activation_};
    alignas(64) float sums[kTileRows * kMaxColumns];
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const float* in = a.in.data() + image * g.InSize();
      float* out = a.out.data() + image * g.OutSize();
      ForEachTile(g, micro_.f32->columns, padded_channels_,
                  [&](const DepthwiseTile& tile, std::size_t index) {
                    micro_.depthwise_f32(tile, in, filter_.data(), sums);
                    micro_.store_f32(table,
                                     {.rows = tile.num_pixels,
                                      .first_channel = tile.first_channel,
                                      .num_channels = tile.num_channels,
                                      .first_row = 0,
                                      .rows_per_scale = 1,
                                      .row_scale = nullptr,
                                      .out = out + index,
                                      .out_stride = g.out_channels},
                                     sums);
                  });
    }
  }

 private:
  const MicroKernels& micro_;
  const Conv2dGeometry geometry_;
  const std::size_t padded_channels_;
  const AlignedArray<float> filter_;
  AlignedArray<float> bias_;
  const Activation activation_;
  const std::string provider_;
};

}  // namespace

std::unique_ptr<const Conv2dS8> MakeDepthwiseConv2dS8(const MicroKernels& micro,
                                                      const Conv2dS8Spec& spec) {
  return std::make_unique<DepthwiseConv2dS8>(micro, spec);
}

std::unique_ptr<const Conv2dF32> MakeDepthwiseConv2dF32(const MicroKernels& micro,
                                                        const Conv2dF32Spec& spec,
                                                        const std::string& note) {
  return std::make_unique<DepthwiseConv2dF32>(micro, spec, note);
}

}  // namespace octet::kernels
