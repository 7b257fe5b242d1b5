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

// The most bytes that the next pixel's inputs may lie beyond a run's first: of padding there must
// be as many.
constexpr std::size_t kRunBytes = std::size_t{16} << 10;

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
        max_pixels_(std::clamp(kRunBytes / (pixel_step_ * sizeof(T)), std::size_t{8}, kTileRows)),
        padding_((max_pixels_ - 1) * pixel_step_ + padded_channels, padding),
        copied_width_((max_pixels_ - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width +
                      1),
        scratch_byte_size_(
            PointersByteSize() +
            (is_copied_ ? g.kernel_height * copied_width_ * padded_channels * sizeof(T) : 0)) {}

  std::size_t num_taps() const { return num_taps_; }
  std::size_t ScratchByteSize() const { return scratch_byte_size_; }
  std::size_t ByteSize() const { return padding_.ByteSize(); }

  // Calls compute(run, index of its first output in the image) for each run and each panel of
  // `columns` channels.
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
              (y * out_width + x) * out_channels_ + channel);
        }
      }
    }
  }

 private:
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

// The filter's value at `index`, its zero point taken away: 16 bits hold it.
std::int16_t Difference(const Conv2dS8Spec& spec, std::size_t index) {
  const int zero = spec.filter_zero_point.empty()
                       ? 0
                       : spec.filter_zero_point[index % spec.geometry.out_channels];
  return static_cast<std::int16_t>(spec.filter[index] - zero);
}

// [pairs of taps, padded channels, 2].
AlignedArray<std::int16_t> PairTaps(const Conv2dS8Spec& spec, std::size_t padded_channels) {
  const Conv2dGeometry& g = spec.geometry;
  const std::size_t taps = g.kernel_height * g.kernel_width;
  AlignedArray<std::int16_t> pairs(RoundUp(taps, 2) * padded_channels);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    for (std::size_t c = 0; c < g.out_channels; ++c) {
      pairs[(tap / 2 * padded_channels + c) * 2 + tap % 2] =
          Difference(spec, tap * g.out_channels + c);
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
        filter_(PairTaps(spec, padded_channels_)),
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
  const EpilogueKind kind_;
  const DepthwiseWindows<std::int8_t> windows_;
  const AlignedArray<std::int16_t> filter_;
  const PaddedEpilogue epilogue_;
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

std::unique_ptr<const Conv2dF32> MakeDepthwiseConv2dF32(const MicroKernels& micro,
                                                        const Conv2dF32Spec& spec,
                                                        const std::string& note) {
  return std::make_unique<DepthwiseConv2dF32>(micro, spec, note);
}

}  // namespace octet::kernels
