// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/conv2d.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/implementations.h"
#include "kernels/onednn/conv2d_f32.h"
#include "kernels/packed/depthwise.h"
#include "kernels/packed/f32_product.h"
#include "kernels/packed/filter_groups.h"
#include "kernels/packed/image_to_rows.h"
#include "kernels/packed/output.h"
#include "kernels/packed/s8_product.h"
#include "kernels/packed/window_conv2d.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

// Output pixels whose inputs are laid out as rows at one time: few enough that
// they stay in L2. Long rows: so many that large weights are read less often.
constexpr std::size_t kPixelsAtATime = 2 * kTileRows;
constexpr std::size_t kLongPixelsAtATime = 5 * kPixelsAtATime;

constexpr std::string_view kDepthwise = "depthwise";
constexpr std::string_view kWindows = "windows";
constexpr std::string_view kShortWindows = "short_windows";
constexpr std::string_view kRows = "rows";
constexpr std::string_view kLongRows = "long_rows";

class PackedConv2dS8 final : public Conv2dS8 {
 public:
  PackedConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec, bool is_long)
      : geometry_(spec.geometry),
        pixels_at_a_time_(is_long ? kLongPixelsAtATime : kPixelsAtATime),
        row_size_(RowSize(geometry_)),
        may_need_rows_(spec.is_open || !IsPointwise(geometry_)),
        padding_(static_cast<std::int8_t>(spec.in_zero_point.value)),
        kind_(spec.epilogue.kind),
        provider_(std::string(micro.s8->name) + (is_long ? " long rows" : " rows")) {
    for (std::size_t group = 0; group < geometry_.groups; ++group) {
      products_.push_back(std::make_unique<S8Product>(micro, GroupProduct(spec, group)));
    }
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    std::size_t size = 0;
    for (const auto& product : products_) size += product->PackedByteSize();
    return size;
  }
  std::size_t ScratchByteSize(std::size_t) const override {
    // Groups differ: weights that are no bytes less their zero points want sums of their inputs.
    std::size_t packed = 0;
    for (const auto& product : products_) {
      packed = std::max(packed, product->PackedLhsByteSize(pixels_at_a_time_));
    }
    return RowsByteSize() + packed;
  }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    const std::size_t pixels = g.OutHeight() * g.OutWidth();
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    const OutputBytes out = OutputOf(kind_, a.out);
    const std::size_t pitch = RunPitch(a.out_pitch, g);
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const std::int8_t* in = a.in.data() + image * g.InSize();
      for (std::size_t first = 0; first < pixels; first += pixels_at_a_time_) {
        const std::size_t count = std::min(pixels_at_a_time_, pixels - first);
        for (std::size_t group = 0; group < g.groups; ++group) {
          const std::size_t index =
              (image * pixels + first) * pitch + group * (g.out_channels / g.groups);
          RunPixels(g, in, group, first, count, a, image,
                    {out.data + index * out.element_size, out.element_size});
        }
      }
    }
  }

 private:
  std::size_t RowsByteSize() const {
    return may_need_rows_ ? RoundUp(pixels_at_a_time_ * row_size_, kScratchAlignment) : 0;
  }

  void RunPixels(const Conv2dGeometry& g, const std::int8_t* in, std::size_t group,
                 std::size_t first, std::size_t count, const Arguments& a, std::size_t image,
                 const OutputBytes& out) const {
    const S8Product& product = *products_[group];
    const S8Panels& panels = product.PanelsFor(count);
    std::byte* packed = a.scratch.data() + RowsByteSize();
    if (IsPointwise(g)) {
      product.PackLhs(panels, in + first * g.in_channels + group * row_size_, g.in_channels, count,
                      packed);
    } else {
      auto* rows = reinterpret_cast<std::int8_t*>(a.scratch.data());
      ImageToRows(g, in, group, padding_, first, count, rows);
      product.PackLhs(panels, rows, row_size_, count, packed);
    }
    product.Run(panels,
                {.lhs = packed,
                 .count = count,
                 .out = out.data,
                 .out_stride = RunPitch(a.out_pitch, g),
                 .out_element_size = out.element_size},
                ScaleOfImage(a.row_scale, image));
  }

  const Conv2dGeometry geometry_;
  const std::size_t pixels_at_a_time_;
  const std::size_t row_size_;
  const bool may_need_rows_;  // the pads of a run decide
  const std::int8_t padding_;
  const EpilogueKind kind_;
  const std::string provider_;
  std::vector<std::unique_ptr<const S8Product>> products_;  // one a group
};

class PackedConv2dF32 final : public Conv2dF32 {
 public:
  // `note` is added to the provider's name.
  PackedConv2dF32(const MicroKernels& micro, const Conv2dF32Spec& spec, const std::string& note)
      : geometry_(spec.geometry),
        row_size_(RowSize(geometry_)),
        may_need_rows_(spec.is_open || !IsPointwise(geometry_)),
        provider_(std::string(micro.f32->name) + " rows" + note) {
    const Conv2dGeometry& g = geometry_;
    for (std::size_t group = 0; group < g.groups; ++group) {
      products_.push_back(std::make_unique<F32Product>(
          micro, F32Product::Spec{.k = row_size_,
                                  .n = g.out_channels / g.groups,
                                  .weight =
                                      [&g, &spec, group](std::size_t p, std::size_t o) {
                                        return spec.filter[FilterIndex(g, group, p, o)];
                                      },
                                  .bias = GroupPart(spec.bias, g, group),
                                  .activation = spec.activation}));
    }
  }

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override {
    std::size_t size = 0;
    for (const auto& product : products_) size += product->PackedByteSize();
    return size;
  }
  std::size_t ScratchByteSize(std::size_t) const override {
    return may_need_rows_ ? kPixelsAtATime * row_size_ * sizeof(float) : 0;
  }

  void Run(const Arguments& a) const override {
    const Conv2dGeometry& g = RunGeometry(a.geometry, geometry_);
    const std::size_t pixels = g.OutHeight() * g.OutWidth();
    assert(a.in.size() == a.num_images * g.InSize());
    assert(a.scratch.size() >= ScratchByteSize(a.num_images));
    auto* rows = reinterpret_cast<float*>(a.scratch.data());
    for (std::size_t image = 0; image < a.num_images; ++image) {
      const float* in = a.in.data() + image * g.InSize();
      float* out = a.out.data() + image * g.OutSize();
      for (std::size_t first = 0; first < pixels; first += kPixelsAtATime) {
        const std::size_t count = std::min(kPixelsAtATime, pixels - first);
        for (std::size_t group = 0; group < g.groups; ++group) {
          const bool is_pointwise = IsPointwise(g);
          if (!is_pointwise) ImageToRows(g, in, group, 0.0F, first, count, rows);
          products_[group]->Run(
              {.lhs = is_pointwise ? in + first * g.in_channels + group * row_size_ : rows,
               .lhs_stride = is_pointwise ? g.in_channels : row_size_,
               .count = count,
               .out = out + first * g.out_channels + group * (g.out_channels / g.groups),
               .out_stride = g.out_channels,
               .scratch = nullptr});
        }
      }
    }
  }

 private:
  const Conv2dGeometry geometry_;
  const std::size_t row_size_;
  const bool may_need_rows_;  // the pads of a run decide
  const std::string provider_;
  std::vector<std::unique_ptr<const F32Product>> products_;  // one a group
};

// The ways to compute a checked spec, the rule's first.
std::vector<std::string_view> FittingNames(const MicroKernels& micro, const Conv2dS8Spec& spec) {
  const Conv2dGeometry& g = spec.geometry;
  std::vector<std::string_view> names;
  if (IsDepthwise(g)) {
    names.push_back(kDepthwise);
    // With one channel out, a group's product would leave nearly all of a panel unused.
    if (g.out_channels > g.in_channels && !spec.is_open) names.push_back(kRows);
    return names;
  }
  const WindowFit fit = FitWindows(micro, spec);
  // What is best for images of any size cannot be measured on one.
  if (spec.is_open) {
    names.push_back(fit.is_usual ? kWindows : kRows);
    return names;
  }
  names.push_back(kRows);
  if (g.OutHeight() * g.OutWidth() > kPixelsAtATime) names.push_back(kLongRows);
  if (!fit.is_possible) return names;
  names.insert(fit.is_usual ? names.begin() : names.end(), kWindows);
  if (fit.is_long) names.push_back(kShortWindows);
  return names;
}

}  // namespace

std::vector<std::string_view> PackedConv2dS8Implementations(const MicroKernels& micro,
                                                            const Conv2dS8Spec& spec) {
  if (!CheckConv2dS8(spec).empty()) return {};
  return FittingNames(micro, spec);
}

Prepared<Conv2dS8> PreparePackedConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec) {
  if (std::string error = CheckConv2dS8(spec); !error.empty()) return {nullptr, std::move(error)};
  const std::vector<std::string_view> names = FittingNames(micro, spec);
  const std::string_view name = spec.implementation.empty() ? names.front() : spec.implementation;
  if (std::string error = CheckImplementation(name, names); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  if (name == kDepthwise) return {MakeDepthwiseConv2dS8(micro, spec), ""};
  if (name == kWindows || name == kShortWindows) {
    return {MakeWindowConv2dS8(micro, spec, name == kShortWindows), ""};
  }
  return {std::make_unique<PackedConv2dS8>(micro, spec, name == kLongRows), ""};
}

Prepared<Conv2dS16> PreparePackedConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec) {
  if (std::string error = CheckConv2dS16(spec); !error.empty()) return {nullptr, std::move(error)};
  if (IsDepthwise(spec.geometry)) return {MakeDepthwiseConv2dS16(micro, spec), ""};
  return PrepareWindowConv2dS16(micro, spec);
}

Prepared<Conv2dF32> PreparePackedConv2dF32(const MicroKernels& micro, const Conv2dF32Spec& spec) {
  if (std::string error = CheckConv2dF32(spec); !error.empty()) return {nullptr, std::move(error)};
  std::string note;
  if (!spec.is_open && onednn::IsWorthwhile(spec.geometry)) {
    onednn::Conv2dF32Offer offer = onednn::OfferConv2dF32(spec, micro.activation_f32);
    if (offer.kernel != nullptr) return {std::move(offer.kernel), ""};
    if (!offer.refused.empty()) note = ", instead of onednn " + offer.refused;
  }
  if (IsDepthwise(spec.geometry)) return {MakeDepthwiseConv2dF32(micro, spec, note), ""};
  return {std::make_unique<PackedConv2dF32>(micro, spec, note), ""};
}

}  // namespace octet::kernels
