// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/depthwise.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/depthwise_windows.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s16_product.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

// The filter's value at `index`, its zero point taken away: 16 bits hold it.
std::int16_t Difference(const Conv2dS8Spec& spec, std::size_t index) {
  const int zero = spec.filter_zero_point.empty()
                       ? 0
                       : spec.filter_zero_point[index % spec.geometry.out_channels];
  return static_cast<std::int16_t>(spec.filter[index] - zero);
}

// value_of(index) of each of the filter's values, as [pairs of taps, padded channels, 2].
template <typename ValueOf>
AlignedArray<std::int16_t> PairTaps(const Conv2dGeometry& g, std::size_t padded_channels,
                                    const ValueOf& value_of) {
  const std::size_t taps = g.kernel_height * g.kernel_width;
  AlignedArray<std::int16_t> pairs(RoundUp(taps, 2) * padded_channels);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    for (std::size_t c = 0; c < g.out_channels; ++c) {
      pairs[(tap / 2 * padded_channels + c) * 2 + tap % 2] = value_of(tap * g.out_channels + c);
    }
  }
  return pairs;
}

std::vector<std::int32_t> SumTaps(const Conv2dS8Spec& spec) {
  std::vector<std::int32_t> sums(spec.geometry.out_channels);
  for (std::size_t i = 0; i < spec.filter.size(); ++i) {
    sums[i % sums.size()] += Difference(spec, i);
  }
  return sums;
}

// [taps, padded channels].
AlignedArray<float> PadFilter(const Conv2dGeometry& g, std::span<const float> filter,
                              std::size_t padded_channels) {
  AlignedArray<float> padded(g.kernel_height * g.kernel_width * padded_channels);
  for (std::size_t i = 0; i < filter.size(); ++i) {
    padded[i / g.out_channels * padded_channels + i % g.out_channels] = filter[i];
  }
  return padded;
}

class DepthwiseConv2dS8 final : public Conv2dS8 {
 public:
  DepthwiseConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec)
      : micro_(micro),
        geometry_(spec.geometry),
        padded_channels_(RoundUp(geometry_.out_channels, micro.s8->columns)),
        kind_(spec.epilogue.kind),
        windows_(geometry_, padded_channels_, 2,
                 static_cast<std::int8_t>(spec.in_zero_point.value)),
        filter_(PairTaps(geometry_, padded_channels_,
                         [&spec](std::size_t i) { return Difference(spec, i); })),
        epilogue_(spec.epilogue, padded_channels_, SumTaps(spec), spec.in_zero_point.value),
        provider_(std::string(micro.s8->name) + " depthwise") {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return filter_.ByteSize() + epilogue_.ByteSize() + windows_.ByteSize();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const OutputBytes out = OutputOf(kind_, a.out);
    const std::size_t out_size = g.OutSize();
    alignas(64) std::int32_t sums[kTileRows * kMaxColumns];
    for (std::size_t image = 0; image < a.num_images; ++image) {
      windows_.ForEachRun(
          g, micro_.s8->columns, a.in.data() + image * g.InSize(), a.scratch.data(),
          [&](const DepthwiseRun<std::int8_t>& run, std::size_t index) {
            micro_.depthwise_s8(run, filter_.data(), sums);
            micro_.store_s8(
                epilogue_.table(),
                {.rows = run.num_pixels,
                 .first_channel = run.first_channel,
                 .num_channels = std::min(run.columns, g.out_channels - run.first_channel),
                 .row_scales = ScaleOfImage(a.row_scale, image),
                 .out = out.data + (image * out_size + index) * out.element_size,
                 .out_stride = g.out_channels},
                sums);
          });
    }
  }

 private:
  const MicroKernels& micro_;
  const Conv2dGeometry geometry_;
  const std::size_t padded_channels_;
  const EpilogueKind kind_;
  const DepthwiseWindows<std::int8_t> windows_;
  const AlignedArray<std::int16_t> filter_;
  const PaddedEpilogue epilogue_;
  const std::string provider_;
};

class DepthwiseConv2dS16 final : public Conv2dS16 {
 public:
  DepthwiseConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec)
      : micro_(micro),
        geometry_(spec.geometry),
        padded_channels_(RoundUp(geometry_.out_channels, micro.s16->columns)),
        kind_(spec.epilogue.kind),
        windows_(geometry_, padded_channels_, 2, std::int16_t{0}),
        filter_(PairTaps(geometry_, padded_channels_,
                         [&spec](std::size_t i) { return std::int16_t{spec.filter[i]}; })),
        epilogue_(spec.epilogue, padded_channels_),
        provider_(std::string(micro.s16->name) + " depthwise") {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return filter_.ByteSize() + epilogue_.ByteSize() + windows_.ByteSize();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const OutputBytes out = OutputOf(kind_, a.out);
    const std::size_t out_size = g.OutSize();
    for (std::size_t image = 0; image < a.num_images; ++image) {
      windows_.ForEachRun(
          g, micro_.s16->columns, a.in.data() + image * g.InSize(), a.scratch.data(),
          [&](const DepthwiseRun<std::int16_t>& run, std::size_t index) {
            const std::size_t channels = std::min(run.columns, g.out_channels - run.first_channel);
            ComputeRun(run, {.rows = run.num_pixels,
                             .first_channel = run.first_channel,
                             .num_channels = channels,
                             .out = out.data + (image * out_size + index) * out.element_size,
                             .out_stride = g.out_channels});
          });
    }
  }

 private:
  void ComputeRun(const DepthwiseRun<std::int16_t>& run, const TileTarget& target) const {
    alignas(64) std::int32_t sums[kTileRows * kMaxColumns];
    if (run.num_taps <= kSafeS16Terms) {
      micro_.depthwise_s16(run, filter_.data(), sums);
      micro_.store_s16(epilogue_.table(), target, sums);
      return;
    }
    alignas(64) double total[kTileRows * kMaxColumns] = {};
    for (std::size_t tap = 0; tap < run.num_taps; tap += kSafeS16Terms) {
      DepthwiseRun<std::int16_t> part = run;
      part.taps = run.taps + tap;
      part.num_taps = std::min(kSafeS16Terms, run.num_taps - tap);
      micro_.depthwise_s16(part, filter_.data() + tap * padded_channels_, sums);
      micro_.add_sums(sums, run.num_pixels * run.columns, total);
    }
    micro_.store_s16_total(epilogue_.table(), target, total);
  }

  const MicroKernels& micro_;
  const Conv2dGeometry geometry_;
  const std::size_t padded_channels_;
  const EpilogueKind kind_;
  const DepthwiseWindows<std::int16_t> windows_;
  const AlignedArray<std::int16_t> filter_;
  const PaddedEpilogueS16 epilogue_;
  const std::string provider_;
};

class DepthwiseConv2dF32 final : public Conv2dF32 {
 public:
  DepthwiseConv2dF32(const MicroKernels& micro, const Conv2dF32Spec& spec, const std::string& note)
      : micro_(micro),
        geometry_(spec.geometry),
        padded_channels_(RoundUp(geometry_.out_channels, micro.f32->columns)),
        windows_(geometry_, padded_channels_, 1, 0.0F),
        filter_(PadFilter(geometry_, spec.filter, padded_channels_)),
        bias_(padded_channels_, -0.0F),
        activation_(spec.activation),
        provider_(std::string(micro.f32->name) + " depthwise" + note) {
    std::copy(spec.bias.begin(), spec.bias.end(), bias_.data());
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return filter_.ByteSize() + bias_.ByteSize() + windows_.ByteSize();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const F32EpilogueTable table = {.scaling = F32EpilogueTable::Scaling::kNone,
                                    .scale = nullptr,
                                    .bias = bias_.data(),
                                    .activation = activation_};
    alignas(64) float sums[kTileRows * kMaxColumns];
    for (std::size_t image = 0; image < a.num_images; ++image) {
      float* out = a.out.data() + image * g.OutSize();
      windows_.ForEachRun(g, micro_.f32->columns, a.in.data() + image * g.InSize(),
                          a.scratch.data(), [&](const DepthwiseRun<float>& run, std::size_t index) {
                            micro_.depthwise_f32(run, filter_.data(), sums);
                            micro_.store_f32(table,
                                             {.rows = run.num_pixels,
                                              .first_channel = run.first_channel,
                                              .num_channels = std::min(
                                                  run.columns, g.out_channels - run.first_channel),
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
  const DepthwiseWindows<float> windows_;
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

std::unique_ptr<const Conv2dS16> MakeDepthwiseConv2dS16(const MicroKernels& micro,
                                                        const Conv2dS16Spec& spec) {
  return std::make_unique<DepthwiseConv2dS16>(micro, spec);
}

std::unique_ptr<const Conv2dF32> MakeDepthwiseConv2dF32(const MicroKernels& micro,
                                                        const Conv2dF32Spec& spec,
                                                        const std::string& note) {
  return std::make_unique<DepthwiseConv2dF32>(micro, spec, note);
}

}  // namespace octet::kernels
