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

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/depthwise_filter.h"
#include "kernels/packed/depthwise_strips.h"
#include "kernels/packed/depthwise_windows.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s16_product.h"
#include "kernels/packed/s8_product.h"

namespace octet::kernels {
namespace {

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

// [taps, padded channels].
AlignedArray<float> PadFilter(const Conv2dGeometry& g, std::span<const float> filter,
                              std::size_t padded_channels) {
  AlignedArray<float> padded(g.kernel_height * g.kernel_width * padded_channels);
  for (std::size_t i = 0; i < filter.size(); ++i) {
    padded[i / g.out_channels * padded_channels + i % g.out_channels] = filter[i];
  }
  return padded;
}

// What the values' type decides: the filter and the epilogue, as prepared, and how a run of output
// pixels is computed.
class S8Arithmetic {
 public:
  using Kernel = Conv2dS8;
  using Spec = Conv2dS8Spec;
  using Value = std::int8_t;
  static constexpr std::size_t kTapMultiple = 2;
  static const S8Panels& Panels(const MicroKernels& micro) { return *micro.s8; }
  static Value Padding(const Spec& spec) { return static_cast<Value>(spec.in_zero_point.value); }

  S8Arithmetic(const MicroKernels& micro, const Spec& spec, std::size_t padded_channels)
      : micro_(micro),
        filter_(PairTaps(spec.geometry, padded_channels,
                         [&spec](std::size_t i) { return FilterDifference(spec, i); })),
        epilogue_(spec.epilogue, padded_channels,
                  spec.geometry.kernel_height * spec.geometry.kernel_width, SumFilter(spec),
                  spec.in_zero_point.value) {}

  std::size_t ByteSize() const { return filter_.ByteSize() + epilogue_.ByteSize(); }

  OutputBytes Output(const EpilogueOutput& out) const {
    return OutputOf(epilogue_.table().kind, out);
  }
  void Compute(const DepthwiseRun<Value>& run, const TileTarget& target) const {
    alignas(64) std::int32_t sums[kTileRows * kMaxColumns];
    micro_.depthwise_s8(run, filter_.data(), sums);
    micro_.store_s8(epilogue_.table(), target, sums);
  }

 private:
  const MicroKernels& micro_;
  const AlignedArray<std::int16_t> filter_;
  const PaddedEpilogue epilogue_;
};

class S16Arithmetic {
 public:
  using Kernel = Conv2dS16;
  using Spec = Conv2dS16Spec;
  using Value = std::int16_t;
  static constexpr std::size_t kTapMultiple = 2;
  static const S16Panels& Panels(const MicroKernels& micro) { return *micro.s16; }
  static Value Padding(const Spec&) { return 0; }

  S16Arithmetic(const MicroKernels& micro, const Spec& spec, std::size_t padded_channels)
      : micro_(micro),
        filter_(PairTaps(spec.geometry, padded_channels,
                         [&spec](std::size_t i) { return std::int16_t{spec.filter[i]}; })),
        epilogue_(spec.epilogue, padded_channels) {}

  std::size_t ByteSize() const { return filter_.ByteSize() + epilogue_.ByteSize(); }

  OutputBytes Output(const EpilogueS16Output& out) const {
    return OutputOf(epilogue_.table().kind, out);
  }
  void Compute(const DepthwiseRun<Value>& run, const TileTarget& target) const {
    alignas(64) std::int32_t sums[kTileRows * kMaxColumns];
    if (run.num_taps <= kSafeS16Terms) {
      micro_.depthwise_s16(run, filter_.data(), sums);
      micro_.store_s16(epilogue_.table(), target, sums);
      return;
    }
    alignas(64) double total[kTileRows * kMaxColumns] = {};
    for (std::size_t tap = 0; tap < run.num_taps; tap += kSafeS16Terms) {
      DepthwiseRun<Value> part = run;
      part.taps = run.taps + tap;
      part.num_taps = std::min(kSafeS16Terms, run.num_taps - tap);
      micro_.depthwise_s16(part, filter_.data() + tap * run.padded_channels, sums);
      micro_.add_sums(sums, run.num_pixels * run.columns, total);
    }
    micro_.store_s16_total(epilogue_.table(), target, total);
  }

 private:
  const MicroKernels& micro_;
  const AlignedArray<std::int16_t> filter_;
  const PaddedEpilogueS16 epilogue_;
};

class F32Arithmetic {
 public:
  using Kernel = Conv2dF32;
  using Spec = Conv2dF32Spec;
  using Value = float;
  static constexpr std::size_t kTapMultiple = 1;
  static const F32Panels& Panels(const MicroKernels& micro) { return *micro.f32; }
  static Value Padding(const Spec&) { return 0.0F; }

  F32Arithmetic(const MicroKernels& micro, const Spec& spec, std::size_t padded_channels)
      : micro_(micro),
        filter_(PadFilter(spec.geometry, spec.filter, padded_channels)),
        bias_(padded_channels, -0.0F),
        activation_(spec.activation) {
    std::copy(spec.bias.begin(), spec.bias.end(), bias_.data());
  }

  std::size_t ByteSize() const { return filter_.ByteSize() + bias_.ByteSize(); }

  static OutputBytes Output(std::span<float> out) { return OutputOf(out); }
  void Compute(const DepthwiseRun<Value>& run, const TileTarget& target) const {
    alignas(64) float sums[kTileRows * kMaxColumns];
    micro_.depthwise_f32(run, filter_.data(), sums);
    micro_.store_f32({.scaling = F32EpilogueTable::Scaling::kNone,
                      .scale = nullptr,
                      .bias = bias_.data(),
                      .activation = activation_},
                     target, sums);
  }

 private:
  const MicroKernels& micro_;
  const AlignedArray<float> filter_;
  AlignedArray<float> bias_;
  const Activation activation_;
};

template <typename Arithmetic>
class DepthwiseConv2d final : public Arithmetic::Kernel {
 public:
  // `note` is added to the provider's name.
  DepthwiseConv2d(const MicroKernels& micro, const typename Arithmetic::Spec& spec,
                  const std::string& note = "")
      : geometry_(spec.geometry),
        columns_(Arithmetic::Panels(micro).columns),
        padded_channels_(RoundUp(geometry_.out_channels, columns_)),
        arithmetic_(micro, spec, padded_channels_),
        windows_(geometry_, padded_channels_, Arithmetic::kTapMultiple, Arithmetic::Padding(spec)),
        provider_(std::string(Arithmetic::Panels(micro).name) + " depthwise" + note) {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    return arithmetic_.ByteSize() + windows_.ByteSize();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return windows_.ScratchByteSize(); }

  void Run(const typename Arithmetic::Kernel::Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const OutputBytes out = arithmetic_.Output(a.out);
    const std::size_t pixels = g.OutHeight() * g.OutWidth();
    std::size_t pitch = g.out_channels;
    if constexpr (requires { a.out_pitch; }) pitch = RunPitch(a.out_pitch, g);
    for (std::size_t image = 0; image < a.num_images; ++image) {
      windows_.ForEachRun(
          g, columns_, a.in.data() + image * g.InSize(), a.scratch.data(),
          [&](const DepthwiseRun<typename Arithmetic::Value>& run, std::size_t pixel) {
            const std::size_t index = (image * pixels + pixel) * pitch + run.first_channel;
            TileTarget target = {
                .rows = run.num_pixels,
                .first_channel = run.first_channel,
                .num_channels = std::min(run.columns, g.out_channels - run.first_channel),
                .out = out.data + index * out.element_size,
                .out_stride = pitch};
            if constexpr (requires { a.row_scale; }) {
              target.row_scales = ScaleOfImage(a.row_scale, image);
            }
            arithmetic_.Compute(run, target);
          });
    }
  }

 private:
  const Conv2dGeometry geometry_;
  const std::size_t columns_;
  const std::size_t padded_channels_;
  const Arithmetic arithmetic_;
  const DepthwiseWindows<typename Arithmetic::Value> windows_;
  const std::string provider_;
};

}  // namespace

std::unique_ptr<const Conv2dS8> MakeDepthwiseConv2dS8(const MicroKernels& micro,
                                                      const Conv2dS8Spec& spec) {
  if (FitsStrips(micro, spec)) return MakeStripDepthwiseConv2dS8(micro, spec);
  return std::make_unique<DepthwiseConv2d<S8Arithmetic>>(micro, spec);
}

std::unique_ptr<const Conv2dS16> MakeDepthwiseConv2dS16(const MicroKernels& micro,
                                                        const Conv2dS16Spec& spec) {
  return std::make_unique<DepthwiseConv2d<S16Arithmetic>>(micro, spec);
}

std::unique_ptr<const Conv2dF32> MakeDepthwiseConv2dF32(const MicroKernels& micro,
                                                        const Conv2dF32Spec& spec,
                                                        const std::string& note) {
  return std::make_unique<DepthwiseConv2d<F32Arithmetic>>(micro, spec, note);
}

}  // namespace octet::kernels
