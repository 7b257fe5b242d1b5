// SPDX-License-Identifier: Apache-2.0
#include "kernels/conv2d.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/reference/reference.h"
#include "kernels/validation.h"

namespace octet::kernels::reference {
namespace {

// Calls tap(input index, filter index) for every tap inside the image of the
// output pixel (y, x), channel o.
template <typename Tap>
void ForEachTap(const Conv2dGeometry& g, std::size_t y, std::size_t x, std::size_t o,
                const Tap& tap) {
  const std::size_t channels = g.in_channels / g.groups;
  const std::size_t first_channel = o / (g.out_channels / g.groups) * channels;
  for (std::size_t kh = 0; kh < g.kernel_height; ++kh) {
    const std::size_t padded_y = y * g.stride_height + kh * g.dilation_height;
    if (padded_y < g.pad_top || padded_y - g.pad_top >= g.in_height) continue;
    for (std::size_t kw = 0; kw < g.kernel_width; ++kw) {
      const std::size_t padded_x = x * g.stride_width + kw * g.dilation_width;
      if (padded_x < g.pad_left || padded_x - g.pad_left >= g.in_width) continue;
      const std::size_t pixel = (padded_y - g.pad_top) * g.in_width + padded_x - g.pad_left;
      for (std::size_t c = 0; c < channels; ++c) {
        tap(pixel * g.in_channels + first_channel + c,
            ((kh * g.kernel_width + kw) * channels + c) * g.out_channels + o);
      }
    }
  }
}

class ReferenceConv2dS8 final : public Conv2dS8 {
 public:
  explicit ReferenceConv2dS8(const Conv2dS8Spec& spec)
      : geometry_(spec.geometry),
        filter_(spec.filter.begin(), spec.filter.end()),
        in_zero_point_(spec.in_zero_point),
        epilogue_(spec.epilogue) {
    if (spec.filter_zero_point.empty()) return;
    for (std::size_t i = 0; i < filter_.size(); ++i) {
      filter_[i] = static_cast<std::int16_t>(filter_[i] -
                                             spec.filter_zero_point[i % geometry_.out_channels]);
    }
  }

  std::string_view Provider() const override { return "reference conv2d_s8"; }
  std::size_t PackedByteSize() const override { return 2 * filter_.size() + epilogue_.ByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    std::size_t pixel = 0;
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const std::int8_t* in = a.in.data() + image * g.InSize();
      const float row_scale = a.row_scale.empty() ? 1.0F : a.row_scale[image];
      for (std::size_t y = 0; y < g.OutHeight(); ++y) {
        for (std::size_t x = 0; x < g.OutWidth(); ++x, ++pixel) {
          for (std::size_t o = 0; o < g.out_channels; ++o) {
            std::int32_t acc = 0;
            ForEachTap(g, y, x, o, [&](std::size_t i, std::size_t f) {
              acc += (in[i] - in_zero_point_.value) * filter_[f];
            });
            epilogue_.Store(acc, row_scale, o, pixel * pitch + o, a.out);
          }
        }
      }
    }
  }

 private:
  const Conv2dGeometry geometry_;
  std::vector<std::int16_t> filter_;  // its zero points taken away
  const ZeroPoint in_zero_point_;
  const OwnedEpilogue epilogue_;
};

class ReferenceConv2dS16 final : public Conv2dS16 {
 public:
  explicit ReferenceConv2dS16(const Conv2dS16Spec& spec)
      : geometry_(spec.geometry),
        filter_(spec.filter.begin(), spec.filter.end()),
        epilogue_(spec.epilogue) {}

  std::string_view Provider() const override { return "reference conv2d_s16"; }
  std::size_t PackedByteSize() const override { return filter_.size() + epilogue_.ByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    std::size_t pixel = 0;
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const std::int16_t* in = a.in.data() + image * g.InSize();
      for (std::size_t y = 0; y < g.OutHeight(); ++y) {
        for (std::size_t x = 0; x < g.OutWidth(); ++x, ++pixel) {
          for (std::size_t o = 0; o < g.out_channels; ++o) {
            std::int64_t acc = 0;
            ForEachTap(g, y, x, o, [&](std::size_t i, std::size_t f) {
              acc += std::int64_t{in[i]} * filter_[f];
            });
            epilogue_.Store(acc, o, pixel * pitch + o, a.out);
          }
        }
      }
    }
  }

 private:
  const Conv2dGeometry geometry_;
  const std::vector<std::int8_t> filter_;
  const OwnedEpilogueS16 epilogue_;
};

class ReferenceConv2dF32 final : public Conv2dF32 {
 public:
  explicit ReferenceConv2dF32(const Conv2dF32Spec& spec)
      : geometry_(spec.geometry),
        filter_(spec.filter.begin(), spec.filter.end()),
        bias_(spec.bias.begin(), spec.bias.end()),
        activation_(spec.activation) {}

  std::string_view Provider() const override { return "reference conv2d_f32"; }
  std::size_t PackedByteSize() const override { return 4 * (filter_.size() + bias_.size()); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    assert(a.in.size() == a.num_images * g.InSize());
    std::size_t index = 0;
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const float* in = a.in.data() + image * g.InSize();
      for (std::size_t y = 0; y < g.OutHeight(); ++y) {
        for (std::size_t x = 0; x < g.OutWidth(); ++x) {
          for (std::size_t o = 0; o < g.out_channels; ++o) {
            double sum = bias_.empty() ? 0.0 : double{bias_[o]};
            ForEachTap(g, y, x, o, [&](std::size_t i, std::size_t f) {
              sum += double{in[i]} * double{filter_[f]};
            });
            a.out[index++] = static_cast<float>(sum);
          }
        }
      }
    }
    ActivationF32(activation_, a.out, a.out);
  }

 private:
  const Conv2dGeometry geometry_;
  const std::vector<float> filter_;
  const std::vector<float> bias_;
  const Activation activation_;
};

}  // namespace

Prepared<Conv2dS8> PrepareConv2dS8(const Conv2dS8Spec& spec) {
  if (std::string error = CheckConv2dS8(spec); !error.empty()) return {nullptr, std::move(error)};
  if (std::string error = CheckOnlyImplementation(spec.implementation); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  return {std::make_unique<ReferenceConv2dS8>(spec), ""};
}

Prepared<Conv2dS16> PrepareConv2dS16(const Conv2dS16Spec& spec) {
  if (std::string error = CheckConv2dS16(spec); !error.empty()) return {nullptr, std::move(error)};
  return {std::make_unique<ReferenceConv2dS16>(spec), ""};
}

Prepared<Conv2dF32> PrepareConv2dF32(const Conv2dF32Spec& spec) {
  if (std::string error = CheckConv2dF32(spec); !error.empty()) return {nullptr, std::move(error)};
  return {std::make_unique<ReferenceConv2dF32>(spec), ""};
}

}  // namespace octet::kernels::reference
