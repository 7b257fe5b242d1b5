// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s8_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace octet::kernels {

PaddedEpilogue::PaddedEpilogue(const Epilogue& epilogue, std::size_t padded_n,
                               std::span<const std::int32_t> column_sum, std::int32_t offset,
                               std::span<const std::int8_t> zero_point)
    : add_(padded_n),
      row_factor_(zero_point.empty() ? 0 : padded_n),
      scale_(padded_n, 1.0F),
      bias_(padded_n, -0.0F) {
  for (std::size_t j = 0; j < column_sum.size(); ++j) {
    // Wraps, as the sums do that it corrects.
    const auto sum = static_cast<std::uint32_t>(column_sum[j]);
    std::uint32_t add = 0U - sum * static_cast<std::uint32_t>(offset);
    if (!epilogue.bias_s32.empty()) add += static_cast<std::uint32_t>(epilogue.bias_s32[j]);
    add_[j] = static_cast<std::int32_t>(add);
  }
  std::transform(zero_point.begin(), zero_point.end(), row_factor_.data(), std::negate<>());
  const auto scale =
      epilogue.kind == EpilogueKind::kDynamic ? epilogue.weight_scale : epilogue.multiplier;
  std::copy(scale.begin(), scale.end(), scale_.data());
  std::copy(epilogue.bias_f32.begin(), epilogue.bias_f32.end(), bias_.data());
  table_ = {.kind = epilogue.kind,
            .convention = epilogue.convention,
            .add = add_.data(),
            .row_factor = zero_point.empty() ? nullptr : row_factor_.data(),
            .scale = scale_.data(),
            .bias = bias_.data(),
            .zero_point = epilogue.out_zero_point.value,
            .lo = epilogue.lo,
            .hi = epilogue.hi,
            .activation = epilogue.activation};
}

namespace {

// Whether weights minus their zero points could be packed in their place.
bool DifferencesFitS8(const S8Product::Spec& spec) {
  for (std::size_t j = 0; j < spec.zero_point.size(); ++j) {
    for (std::size_t p = 0; p < spec.k; ++p) {
      const int difference = spec.weight(p, j) - spec.zero_point[j];
      if (difference < -128 || difference > 127) return false;
    }
  }
  return true;
}

bool HasOneZeroPoint(const S8Product::Spec& spec) {
  return std::all_of(spec.zero_point.begin(), spec.zero_point.end(),
                     [&](std::int8_t zero) { return zero == spec.zero_point[0]; });
}

}  // namespace

S8Product::S8Product(const MicroKernels& micro, const Spec& spec)
    : micro_(micro),
      k_(spec.k),
      n_(spec.n),
      columns_(micro.s8->columns),
      num_panels_((spec.n - 1) / columns_ + 1),
      group_size_(spec.group_size == 0 ? spec.k : spec.group_size),
      num_groups_((spec.k - 1) / group_size_ + 1),
      group_padded_(RoundUp(std::min(group_size_, k_),
                            std::max(micro.s8->k_multiple, micro.s8_many_rows == nullptr
                                                               ? std::size_t{1}
                                                               : micro.s8_many_rows->k_multiple))),
      has_group_scales_(spec.group_size != 0),
      has_row_terms_(!spec.is_int4 && !DifferencesFitS8(spec)) {
  PackWeights(spec);
  if (has_group_scales_) {
    group_scale_ = AlignedArray<float>(num_panels_ * num_groups_ * columns_);
    for (std::size_t g = 0; g < num_groups_; ++g) {
      for (std::size_t j = 0; j < n_; ++j) {
        group_scale_[(j / columns_ * num_groups_ + g) * columns_ + j % columns_] =
            spec.group_scale[g * n_ + j];
      }
    }
  }
  if (has_row_terms_ && HasOneZeroPoint(spec)) {
    row_factor_ = 0U - static_cast<std::uint32_t>(spec.zero_point[0]);
  }
  few_ = MakeCorrection(spec, micro_.s8->lhs_offset);
  if (micro_.s8_many_rows != nullptr) {
    many_ = MakeCorrection(spec, micro_.s8_many_rows->lhs_offset);
  }
}

std::int32_t S8Product::ZeroOf(const Spec& spec, std::size_t group, std::size_t j) const {
  return spec.zero_point.empty() ? 0 : spec.zero_point[group * n_ + j];
}

void S8Product::PackWeights(const Spec& spec) {
  const std::size_t interleave = micro_.s8->interleave;
  const std::size_t group_values = group_padded_ * columns_;
  AlignedArray<std::int8_t> values(num_panels_ * num_groups_ * group_values);
  bool has_negative = false;
  for (std::size_t j = 0; j < n_; ++j) {
    for (std::size_t p = 0; p < k_; ++p) {
      const std::size_t group = p / group_size_;
      const std::size_t q = p - group * group_size_;
      const std::int8_t w = spec.weight(p, j);
      has_negative = has_negative || w < 0;
      // Nibbles are kept apart from their zero points.
      const std::int32_t zero = spec.is_int4 || has_row_terms_ ? 0 : ZeroOf(spec, group, j);
      values[(j / columns_ * num_groups_ + group) * group_values +
             (q / interleave * columns_ + j % columns_) * interleave + q % interleave] =
          static_cast<std::int8_t>(w - zero);
    }
  }
  if (!spec.is_int4) {
    weight_ = std::move(values);
    return;
  }
  nibble_bias_ = has_negative ? 8 : 0;
  nibbles_ = AlignedArray<std::uint8_t>(values.size() / 2);
  for (std::size_t i = 0; i < values.size(); i += 32) {
    for (std::size_t b = 0; b < 16; ++b) {
      const int low = values[i + b] + nibble_bias_;
      const int high = values[i + b + 16] + nibble_bias_;
      nibbles_[i / 2 + b] = static_cast<std::uint8_t>(low | (high << 4));
    }
  }
  const std::size_t zero_size = columns_ * interleave;
  zero_ = AlignedArray<std::int8_t>(num_panels_ * num_groups_ * zero_size);
  for (std::size_t g = 0; g < num_groups_; ++g) {
    for (std::size_t j = 0; j < num_panels_ * columns_; ++j) {
      // Padding channels get weight 0 as well.
      const std::int32_t zero = (j < n_ ? ZeroOf(spec, g, j) : 0) + nibble_bias_;
      std::int8_t* target = zero_.data() + (j / columns_ * num_groups_ + g) * zero_size;
      for (std::size_t i = 0; i < interleave; ++i) {
        target[j % columns_ * interleave + i] = static_cast<std::int8_t>(zero);
      }
    }
  }
}

S8Product::Correction S8Product::MakeCorrection(const Spec& spec, std::int32_t offset) const {
  const std::int32_t total = offset + spec.lhs_zero_point.value;
  std::vector<std::int32_t> column_sum(n_);
  std::vector<std::int32_t> group_sum(num_groups_ * n_);
  for (std::size_t j = 0; j < n_; ++j) {
    for (std::size_t p = 0; p < k_; ++p) {
      const std::size_t group = p / group_size_;
      const std::int32_t w = spec.weight(p, j) - ZeroOf(spec, group, j);
      column_sum[j] += w;
      group_sum[group * n_ + j] += w;
    }
  }
  Correction correction;
  correction.epilogue = std::make_unique<PaddedEpilogue>(
      spec.epilogue, num_panels_ * columns_, column_sum, total,
      has_row_terms_ && !HasOneZeroPoint(spec) ? spec.zero_point : std::span<const std::int8_t>());
  if (!has_group_scales_) return correction;
  correction.group_add = AlignedArray<std::int32_t>(num_panels_ * num_groups_ * columns_);
  for (std::size_t g = 0; g < num_groups_; ++g) {
    for (std::size_t j = 0; j < n_; ++j) {
      correction.group_add[(j / columns_ * num_groups_ + g) * columns_ + j % columns_] =
          -total * group_sum[g * n_ + j];
    }
  }
  return correction;
}

const S8Panels& S8Product::PanelsFor(std::size_t rows) const {
  const bool is_many = micro_.s8_many_rows != nullptr && rows >= micro_.many_rows_from;
  return is_many ? *micro_.s8_many_rows : *micro_.s8;
}

std::size_t S8Product::PackedRowsByteSize(const S8Panels& panels, std::size_t rows) const {
  return RoundUp(
      RoundUp(rows, panels.row_multiple) * num_groups_ * group_padded_ * panels.lhs_element_size,
      kScratchAlignment);
}

std::size_t S8Product::PackedLhsByteSize(std::size_t rows) const {
  std::size_t size = PackedRowsByteSize(*micro_.s8, rows);
  if (micro_.s8_many_rows != nullptr) {
    size = std::max(size, PackedRowsByteSize(*micro_.s8_many_rows, rows));
  }
  return size + (has_row_terms_ ? RoundUp(rows * sizeof(std::int32_t), kScratchAlignment) : 0);
}

void S8Product::PackLhs(const S8Panels& panels, const std::int8_t* lhs, std::size_t lhs_stride,
                        std::size_t rows, std::byte* out) const {
  const std::size_t group_bytes =
      RoundUp(rows, panels.row_multiple) * group_padded_ * panels.lhs_element_size;
  for (std::size_t g = 0; g < num_groups_; ++g) {
    const std::size_t first = g * group_size_;
    panels.pack_lhs(lhs + first, lhs_stride, rows, std::min(group_size_, k_ - first), group_padded_,
                    out + g * group_bytes);
  }
  if (!has_row_terms_) return;
  // Of the packed inputs, which are too large by the panels' offset.
  const std::uint32_t start =
      static_cast<std::uint32_t>(k_) * static_cast<std::uint32_t>(panels.lhs_offset);
  micro_.sum_rows(lhs, lhs_stride, rows, k_, start, row_factor_,
                  reinterpret_cast<std::int32_t*>(out + PackedRowsByteSize(panels, rows)));
}

std::size_t S8Product::ScratchByteSize() const {
  return nibbles_.size() == 0 ? 0 : num_groups_ * group_padded_ * columns_;
}

std::size_t S8Product::PackedByteSize() const {
  std::size_t size =
      weight_.ByteSize() + nibbles_.ByteSize() + zero_.ByteSize() + group_scale_.ByteSize();
  for (const Correction* correction : {&few_, &many_}) {
    size += correction->group_add.ByteSize();
    if (correction->epilogue != nullptr) size += correction->epilogue->ByteSize();
  }
  return size;
}

const std::int8_t* S8Product::PanelValues(std::size_t panel, std::byte* scratch) const {
  const std::size_t group_values = group_padded_ * columns_;
  if (nibbles_.size() == 0) return weight_.data() + panel * num_groups_ * group_values;
  auto* values = reinterpret_cast<std::int8_t*>(scratch);
  const std::size_t zero_size = columns_ * micro_.s8->interleave;
  for (std::size_t g = 0; g < num_groups_; ++g) {
    const std::size_t index = panel * num_groups_ + g;
    micro_.unpack_nibbles(nibbles_.data() + index * group_values / 2, group_values,
                          zero_.data() + index * zero_size, zero_size, values + g * group_values);
  }
  return values;
}

const std::byte* S8Product::LhsOf(const Rows& rows, std::size_t group, std::size_t first) const {
  const std::size_t padded_rows = RoundUp(rows.count, rows.panels->row_multiple);
  return rows.lhs + (group * padded_rows + first) * group_padded_ * rows.panels->lhs_element_size;
}

void S8Product::Run(const Rows& rows) const {
  const Correction& correction = rows.panels == micro_.s8 ? few_ : many_;
  const auto* row_terms = reinterpret_cast<const std::int32_t*>(
      rows.lhs + PackedRowsByteSize(*rows.panels, rows.count));
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  for (std::size_t panel = 0; panel < num_panels_; ++panel) {
    const std::int8_t* values = PanelValues(panel, rows.scratch);
    const std::size_t channel = panel * columns_;
    for (std::size_t first = 0; first < rows.count; first += kTileRows) {
      const std::size_t offset = first * rows.out_stride + channel;
      const TileTarget target = {.rows = std::min(kTileRows, rows.count - first),
                                 .first_channel = channel,
                                 .num_channels = std::min(columns_, n_ - channel),
                                 .first_row = rows.first_row + first,
                                 .rows_per_scale = rows.rows_per_scale,
                                 .row_scale = rows.row_scale,
                                 .out = rows.out + offset * rows.out_element_size,
                                 .out_stride = rows.out_stride,
                                 .row_term = has_row_terms_ ? row_terms + first : nullptr};
      if (has_group_scales_) {
        RunGroups(rows, correction, panel, first, target, values);
        continue;
      }
      rows.panels->multiply(LhsOf(rows, 0, first), target.rows, group_padded_, values, tile);
      micro_.store_s8(correction.epilogue->table(), target, tile);
    }
  }
}

void S8Product::RunGroups(const Rows& rows, const Correction& correction, std::size_t panel,
                          std::size_t first, const TileTarget& target,
                          const std::int8_t* values) const {
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  alignas(64) float sums[kTileRows * kMaxColumns] = {};
  for (std::size_t g = 0; g < num_groups_; ++g) {
    rows.panels->multiply(LhsOf(rows, g, first), target.rows, group_padded_,
                          values + g * group_padded_ * columns_, tile);
    const std::size_t table = (panel * num_groups_ + g) * columns_;
    micro_.add_scaled(tile, correction.group_add.data() + table, group_scale_.data() + table,
                      target.rows, sums);
  }
  micro_.store_scaled(correction.epilogue->table(), target, sums);
}

}  // namespace octet::kernels
