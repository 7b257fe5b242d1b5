// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/f32_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "kernels/packed/output.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

// Rows along k that integer weights are expanded for at one time, so that they
// stay in L1.
constexpr std::size_t kExpandRows = 64;

std::span<const float> BiasOf(const F32Product::Spec& spec) {
  return spec.weight_only == nullptr ? spec.bias : spec.weight_only->bias;
}

}  // namespace

F32Product::F32Product(const MicroKernels& micro, const Spec& spec)
    : micro_(micro),
      k_(spec.k),
      n_(spec.n),
      columns_(micro.f32->columns),
      num_panels_((spec.n - 1) / columns_ + 1),
      activation_(spec.weight_only == nullptr ? spec.activation : spec.weight_only->activation),
      bias_(num_panels_ * columns_, -0.0F) {
  const std::span<const float> bias = BiasOf(spec);
  std::copy(bias.begin(), bias.end(), bias_.data());
  if (spec.weight_only != nullptr) {
    PackIntegers(*spec.weight_only);
    return;
  }
  weight_ = AlignedArray<float>(num_panels_ * k_ * columns_);
  for (std::size_t j = 0; j < n_; ++j) {
    float* panel = weight_.data() + j / columns_ * k_ * columns_ + j % columns_;
    for (std::size_t p = 0; p < k_; ++p) panel[p * columns_] = spec.weight(p, j);
  }
}

void F32Product::MakeGroupTables(const MatmulWeightOnlySpec& spec) {
  zero_ = AlignedArray<float>(num_panels_ * num_groups_ * columns_);
  group_scale_ = AlignedArray<float>(zero_.size(), 1.0F);
  for (std::size_t g = 0; g < num_groups_; ++g) {
    for (std::size_t j = 0; j < n_; ++j) {
      const std::size_t i = (j / columns_ * num_groups_ + g) * columns_ + j % columns_;
      const int zero_point = spec.zero_point.empty() ? 0 : spec.zero_point[g * n_ + j];
      zero_[i] = static_cast<float>(zero_point + nibble_bias_);
      if (spec.group_size == 0) continue;
      const float scale = spec.scale[g * n_ + j];
      group_scale_[i] = spec.convention == ScaleConvention::kReciprocal ? 1.0F / scale : scale;
    }
  }
}

void F32Product::PackIntegers(const MatmulWeightOnlySpec& spec) {
  const bool is_grouped = spec.group_size != 0;
  group_size_ = is_grouped ? spec.group_size : k_;
  num_groups_ = (k_ - 1) / group_size_ + 1;
  const bool has_negative =
      std::any_of(spec.weight.begin(), spec.weight.end(), [](std::int8_t w) { return w < 0; });
  nibble_bias_ = spec.bits == 4 && has_negative ? 8 : 0;
  has_zero_points_ = !spec.zero_point.empty();
  MakeGroupTables(spec);
  if (!is_grouped) {
    scale_ = AlignedArray<float>(num_panels_ * columns_, 1.0F);
    std::copy(spec.scale.begin(), spec.scale.end(), scale_.data());
    scaling_ = spec.convention == ScaleConvention::kReciprocal
                   ? F32EpilogueTable::Scaling::kDivide
                   : F32EpilogueTable::Scaling::kMultiply;
  }
  const auto weight_at = [&](std::size_t p, std::size_t j) {
    return spec.weight[WeightIndex(spec.layout, k_, n_, p, j)];
  };
  if (spec.bits == 8) {
    bytes_ = AlignedArray<std::int8_t>(num_panels_ * k_ * columns_);
    for (std::size_t j = 0; j < n_; ++j) {
      std::int8_t* panel = bytes_.data() + j / columns_ * k_ * columns_ + j % columns_;
      for (std::size_t p = 0; p < k_; ++p) panel[p * columns_] = weight_at(p, j);
    }
    return;
  }
  const std::size_t half = columns_ / 2;
  nibbles_ = AlignedArray<std::uint8_t>(num_panels_ * k_ * half);
  for (std::size_t j = 0; j < n_; ++j) {
    std::uint8_t* panel = nibbles_.data() + j / columns_ * k_ * half + j % half;
    const unsigned shift = j % columns_ < half ? 0 : 4;
    for (std::size_t p = 0; p < k_; ++p) {
      const auto nibble = static_cast<unsigned>(weight_at(p, j) + nibble_bias_);
      panel[p * half] |= static_cast<std::uint8_t>(nibble << shift);
    }
  }
}

std::size_t F32Product::ScratchByteSize() const {
  return weight_.size() != 0 ? 0 : kOneRowPanels * kExpandRows * columns_ * sizeof(float);
}

std::size_t F32Product::PackedByteSize() const {
  return bias_.ByteSize() + weight_.ByteSize() + bytes_.ByteSize() + nibbles_.ByteSize() +
         zero_.ByteSize() + group_scale_.ByteSize() + scale_.ByteSize();
}

// NOLINTNEXTLINE(readability-non-const-parameter): what a run points to is written
void F32Product::Expand(std::size_t panel, std::size_t begin, std::size_t end, float* out) const {
  for (std::size_t p = begin; p < end;) {
    const std::size_t group = p / group_size_;
    const std::size_t group_end = std::min(end, (group + 1) * group_size_);
    const std::size_t table = (panel * num_groups_ + group) * columns_;
    const ExpandRun run = {.rows = group_end - p,
                           .columns = columns_,
                           .zero = zero_.data() + table,
                           .scale = group_scale_.data() + table,
                           .out = out + (p - begin) * columns_};
    const std::size_t first = (panel * k_ + p) * columns_;
    if (nibbles_.size() == 0) {
      micro_.expand_s8(run, bytes_.data() + first);
    } else {
      micro_.expand_s4(run, nibbles_.data() + first / 2);
    }
    p = group_end;
  }
}

void F32Product::MultiplyFewRows(const Rows& rows, std::size_t first_row, std::size_t num_rows,
                                 std::size_t panel, std::size_t num_panels,
                                 float* tile) const {  // NOLINT(readability-non-const-parameter)
  for (std::size_t group = 0; group < num_groups_; ++group) {
    const std::size_t begin = group * group_size_;
    const std::size_t table = (panel * num_groups_ + group) * columns_;
    const std::size_t first = (panel * k_ + begin) * columns_;
    const std::size_t panel_size = k_ * columns_;
    FewRowsRun run = {.lhs = rows.lhs + first_row * rows.lhs_stride + begin,
                      .lhs_stride = rows.lhs_stride,
                      .rows = num_rows,
                      .k = std::min(group_size_, k_ - begin),
                      .columns = columns_,
                      .num_panels = num_panels,
                      .panel_stride = panel_size,
                      .zero = has_zero_points_ ? zero_.data() + table : nullptr,
                      .one_zero = nibble_bias_,
                      .scale = scale_.size() != 0 ? nullptr : group_scale_.data() + table,
                      .table_stride = num_groups_ * columns_,
                      .tile = tile};
    if (nibbles_.size() == 0) {
      micro_.multiply_few_rows_s8(run, bytes_.data() + first);
    } else {
      run.panel_stride = panel_size / 2;
      micro_.multiply_few_rows_s4(run, nibbles_.data() + first / 2);
    }
  }
}

void F32Product::Multiply(const Rows& rows, std::size_t first_row, std::size_t num_rows,
                          std::size_t panel, std::size_t num_panels, float* tile) const {
  const float* lhs = rows.lhs + first_row * rows.lhs_stride;
  const std::size_t stride = k_ * columns_;
  if (weight_.size() != 0) {
    micro_.f32->multiply(lhs, rows.lhs_stride, num_rows, k_, weight_.data() + panel * stride,
                         stride, num_panels, tile);
    return;
  }
  if (num_rows <= kFewRows) {
    return MultiplyFewRows(rows, first_row, num_rows, panel, num_panels, tile);
  }
  auto* expanded = reinterpret_cast<float*>(rows.scratch);
  for (std::size_t begin = 0; begin < k_; begin += kExpandRows) {
    const std::size_t end = std::min(k_, begin + kExpandRows);
    for (std::size_t i = 0; i < num_panels; ++i) {
      Expand(panel + i, begin, end, expanded + i * kExpandRows * columns_);
    }
    micro_.f32->multiply(lhs + begin, rows.lhs_stride, num_rows, end - begin, expanded,
                         kExpandRows * columns_, num_panels, tile);
  }
}

void F32Product::Run(const Rows& rows) const {
  const F32EpilogueTable table = {
      .scaling = scaling_, .scale = scale_.data(), .bias = bias_.data(), .activation = activation_};
  alignas(64) float tile[kTileRows * kMaxColumns];
  const std::size_t panels_at_a_time = rows.count == 1 ? kOneRowPanels : 1;
  for (std::size_t panel = 0; panel < num_panels_; panel += panels_at_a_time) {
    const std::size_t num_panels = std::min(panels_at_a_time, num_panels_ - panel);
    for (std::size_t first = 0; first < rows.count; first += kTileRows) {
      const std::size_t num_rows = std::min(kTileRows, rows.count - first);
      std::fill_n(tile, num_rows * columns_ * num_panels, 0.0F);
      Multiply(rows, first, num_rows, panel, num_panels, tile);
      for (std::size_t i = 0; i < num_panels; ++i) {
        const std::size_t channel = (panel + i) * columns_;
        const std::size_t offset = first * rows.out_stride + channel;
        micro_.store_f32(table,
                         {.rows = num_rows,
                          .first_channel = channel,
                          .num_channels = std::min(columns_, n_ - channel),
                          .out = rows.out + offset,
                          .out_stride = rows.out_stride,
                          .residual = OrNull(rows.residual, offset)},
                         tile + i * num_rows * columns_);
      }
    }
  }
}

}  // namespace octet::kernels
