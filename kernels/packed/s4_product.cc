// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s4_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/packed/output.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

std::size_t PaddedGroup(const MicroKernels& micro, std::size_t size) {
  const std::size_t many =
      micro.s4_many_rows == nullptr ? std::size_t{1} : micro.s4_many_rows->k_multiple;
  return RoundUp(size, size < many ? micro.s4->k_multiple : std::max(many, micro.s4->k_multiple));
}

std::size_t DivideUp(std::size_t size, std::size_t by) { return (size - 1) / by + 1; }

int ZeroOf(const MatmulS8S4Spec& spec, std::size_t i) {
  return spec.zero_point.empty() ? 0 : int{spec.zero_point[i]};
}

}  // namespace

S4Product::S4Product(const MicroKernels& micro, const MatmulS8S4Spec& spec)
    : micro_(micro),
      k_(spec.k),
      n_(spec.n),
      columns_(micro.s4->columns),
      num_panels_((spec.n - 1) / columns_ + 1),
      group_size_(spec.group_size == 0 ? spec.k : spec.group_size),
      num_groups_((spec.k - 1) / group_size_ + 1),
      group_padded_(PaddedGroup(micro, std::min(group_size_, k_))) {
  PackWeights(spec);
  PackZeroPoints(spec);
  if (spec.group_size != 0) {
    scale_ = PackTable<float>([&spec](std::size_t i) { return spec.scale[i]; });
  }
  std::vector<std::int32_t> column_sum(n_);
  for (std::size_t j = 0; j < n_; ++j) {
    for (std::size_t p = 0; p < k_; ++p) {
      column_sum[j] += spec.weight[WeightIndex(spec.layout, k_, n_, p, j)] -
                       ZeroOf(spec, p / group_size_ * n_ + j);
    }
  }
  epilogue_ = std::make_unique<PaddedEpilogue>(spec.epilogue, num_panels_ * columns_, k_,
                                               column_sum, spec.lhs_zero_point.value);
}

void S4Product::PackWeights(const MatmulS8S4Spec& spec) {
  const bool has_negative =
      std::any_of(spec.weight.begin(), spec.weight.end(), [](std::int8_t w) { return w < 0; });
  nibble_bias_ = has_negative ? 8 : 0;
  const std::size_t half = columns_ / 2;
  const std::size_t panel_bytes = PackedRowSize() * half;
  nibbles_ = AlignedArray<std::uint8_t>(num_panels_ * panel_bytes);
  for (std::size_t j = 0; j < n_; ++j) {
    const std::size_t column = j % columns_;
    const unsigned shift = column < half ? 0 : 4;
    for (std::size_t p = 0; p < k_; ++p) {
      const int w = spec.weight[WeightIndex(spec.layout, k_, n_, p, j)] + nibble_bias_;
      const std::size_t row = p / group_size_ * group_padded_ + p % group_size_;
      const std::size_t index = (row / 4 * half + column % half) * 4 + row % 4;
      nibbles_[j / columns_ * panel_bytes + index] |=
          static_cast<std::uint8_t>(static_cast<unsigned>(w) << shift);
    }
  }
}

void S4Product::PackZeroPoints(const MatmulS8S4Spec& spec) {
  const int first = ZeroOf(spec, 0);
  if (std::all_of(spec.zero_point.begin(), spec.zero_point.end(),
                  [first](std::int8_t zero) { return zero == first; })) {
    one_zero_ = first + nibble_bias_;
    return;
  }
  zero_ = PackTable<std::int16_t>(
      [&](std::size_t i) { return static_cast<std::int16_t>(ZeroOf(spec, i) + nibble_bias_); });
}

template <typename T, typename ValueOf>
AlignedArray<T> S4Product::PackTable(const ValueOf& value_of) const {
  AlignedArray<T> table(num_panels_ * num_groups_ * columns_);
  for (std::size_t g = 0; g < num_groups_; ++g) {
    for (std::size_t j = 0; j < n_; ++j) {
      table[(j / columns_ * num_groups_ + g) * columns_ + j % columns_] = value_of(g * n_ + j);
    }
  }
  return table;
}

std::string S4Product::Provider() const {
  std::string provider = micro_.s4->name;
  if (micro_.s4_many_rows != nullptr) provider += std::string(", ") + micro_.s4_many_rows->name;
  return provider;
}

std::size_t S4Product::PackedByteSize() const {
  return nibbles_.ByteSize() + zero_.ByteSize() + scale_.ByteSize() + epilogue_->ByteSize();
}

const S4Panels& S4Product::PanelsFor(std::size_t rows) const {
  const bool is_many = micro_.s4_many_rows != nullptr && rows >= micro_.many_rows_from;
  return is_many ? *micro_.s4_many_rows : *micro_.s4;
}

bool S4Product::TakesRowsAsTheyAre(const S4Panels& panels, std::size_t rows) const {
  return k_ == PackedRowSize() && rows % panels.row_multiple == 0;
}

std::size_t S4Product::ScratchByteSize(std::size_t rows) const {
  const S4Panels& panels = PanelsFor(rows);
  const std::size_t sums = RoundUp(rows * num_groups_ * sizeof(std::int32_t), kScratchAlignment);
  if (TakesRowsAsTheyAre(panels, rows)) return sums;
  return sums + RoundUp(rows, panels.row_multiple) * PackedRowSize();
}

void S4Product::PackLhs(const Rows& rows, std::int8_t* packed) const {
  const std::size_t padded_rows = RoundUp(rows.count, PanelsFor(rows.count).row_multiple);
  std::fill_n(packed, padded_rows * PackedRowSize(), std::int8_t{0});
  for (std::size_t r = 0; r < rows.count; ++r) {
    for (std::size_t g = 0; g < num_groups_; ++g) {
      const std::size_t first = g * group_size_;
      std::copy_n(rows.lhs + r * k_ + first, std::min(group_size_, k_ - first),
                  packed + r * PackedRowSize() + g * group_padded_);
    }
  }
}

void S4Product::ComputeRowTerms(const Rows& rows, std::int32_t* row_term) const {
  const std::uint32_t factor = 0U - static_cast<std::uint32_t>(zero_.size() == 0 ? one_zero_ : 1);
  const std::size_t whole = k_ / group_size_;
  const std::size_t rest = k_ % group_size_;
  if (rest == 0) {
    micro_.sum_rows(rows.lhs, group_size_, rows.count * whole, group_size_, 0, factor, row_term);
    return;
  }
  for (std::size_t r = 0; r < rows.count; ++r) {
    const std::int8_t* row = rows.lhs + r * k_;
    std::int32_t* term = row_term + r * num_groups_;
    micro_.sum_rows(row, group_size_, whole, group_size_, 0, factor, term);
    micro_.sum_rows(row + whole * group_size_, rest, 1, rest, 0, factor, term + whole);
  }
}

void S4Product::RunTile(const S4Panels& panels, const Rows& rows, const S4Run& run,
                        std::size_t first_row, std::size_t first_panel) const {
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  alignas(64) float sums[kTileRows * kMaxColumns];
  if (run.scale == nullptr) {
    panels.multiply(run, tile);
  } else {
    panels.multiply_groups(run, sums);
  }
  for (std::size_t i = 0; i < run.num_panels; ++i) {
    const std::size_t channel = (first_panel + i) * columns_;
    TileTarget target = {
        .rows = run.rows,
        .first_channel = channel,
        .num_channels = std::min(columns_, n_ - channel),
        .row_scales = rows.row_scales,
        .out = rows.out + (first_row * n_ + channel) * rows.out_element_size,
        .out_stride = n_,
        .residual = OrNull(rows.residual, first_row * n_ + channel),
    };
    target.row_scales.first_row += first_row;
    const std::size_t offset = i * run.rows * columns_;
    if (run.scale == nullptr) {
      micro_.store_s8(epilogue_->table(), target, tile + offset);
    } else {
      micro_.store_scaled(epilogue_->table(), target, sums + offset);
    }
  }
}

void S4Product::Run(const Rows& rows) const {
  const S4Panels& panels = PanelsFor(rows.count);
  auto* row_term = reinterpret_cast<std::int32_t*>(rows.scratch);
  ComputeRowTerms(rows, row_term);
  const std::int8_t* lhs = rows.lhs;
  if (!TakesRowsAsTheyAre(panels, rows.count)) {
    auto* packed = reinterpret_cast<std::int8_t*>(
        rows.scratch + RoundUp(rows.count * num_groups_ * sizeof(*row_term), kScratchAlignment));
    PackLhs(rows, packed);
    lhs = packed;
  }
  // Blocks of about as many rows each.
  const std::size_t num_blocks = DivideUp(rows.count, panels.max_rows);
  const std::size_t largest = DivideUp(rows.count, num_blocks);
  const std::size_t panels_at_a_time = std::min(panels.max_panels, panels.max_row_panels / largest);
  const std::size_t panel_stride = PackedRowSize() * columns_ / 2;
  const std::size_t table_stride = num_groups_ * columns_;
  for (std::size_t panel = 0; panel < num_panels_; panel += panels_at_a_time) {
    std::size_t blocks_left = num_blocks;
    S4Run run = {
        .lhs = lhs,
        .lhs_stride = PackedRowSize(),
        .row_term = row_term,
        .row_term_stride = num_groups_,
        .rows = 0,
        .num_groups = num_groups_,
        .group_padded = group_padded_,
        .num_panels = std::min(panels_at_a_time, num_panels_ - panel),
        .panel = nibbles_.data() + panel * panel_stride,
        .panel_stride = panel_stride,
        .zero = zero_.size() == 0 ? nullptr : zero_.data() + panel * table_stride,
        .scale = scale_.size() == 0 ? nullptr : scale_.data() + panel * table_stride,
        .table_stride = table_stride,
    };
    for (std::size_t first = 0; first < rows.count; first += run.rows) {
      const std::size_t rest = rows.count - first;
      run.rows = std::min(RoundUp(DivideUp(rest, blocks_left), panels.row_multiple), rest);
      run.lhs = lhs + first * PackedRowSize();
      run.row_term = row_term + first * num_groups_;
      RunTile(panels, rows, run, first, panel);
      --blocks_left;
    }
  }
}

}  // namespace octet::kernels
