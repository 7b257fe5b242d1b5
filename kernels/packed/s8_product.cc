// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s8_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/packed/output.h"

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

std::int32_t ZeroOf(const S8Product::Spec& spec, std::size_t j) {
  return spec.zero_point.empty() ? 0 : spec.zero_point[j];
}

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
      num_segments_(spec.num_segments),
      segment_padded_(
          RoundUp(spec.k / spec.num_segments,
                  std::max(micro.s8->k_multiple, micro.s8_many_rows == nullptr
                                                     ? std::size_t{1}
                                                     : micro.s8_many_rows->k_multiple))),
      k_padded_(num_segments_ * segment_padded_),
      has_row_terms_(!DifferencesFitS8(spec)),
      row_factor_(has_row_terms_ && HasOneZeroPoint(spec)
                      ? 0U - static_cast<std::uint32_t>(spec.zero_point[0])
                      : 1U),
      few_(MakeEpilogue(spec, micro.s8->lhs_offset)) {
  PackWeights(spec);
  if (micro_.s8_many_rows != nullptr) many_ = MakeEpilogue(spec, micro_.s8_many_rows->lhs_offset);
}

void S8Product::PackWeights(const Spec& spec) {
  const std::size_t interleave = micro_.s8->interleave;
  const std::size_t segment = k_ / num_segments_;
  weight_ = AlignedArray<std::int8_t>(num_panels_ * k_padded_ * columns_);
  for (std::size_t j = 0; j < n_; ++j) {
    const int zero = has_row_terms_ ? 0 : ZeroOf(spec, j);
    for (std::size_t p = 0; p < k_; ++p) {
      const std::size_t q = p / segment * segment_padded_ + p % segment;
      weight_[j / columns_ * k_padded_ * columns_ +
              (q / interleave * columns_ + j % columns_) * interleave + q % interleave] =
          static_cast<std::int8_t>(spec.weight(p, j) - zero);
    }
  }
}

std::unique_ptr<const PaddedEpilogue> S8Product::MakeEpilogue(const Spec& spec,
                                                              std::int32_t offset) const {
  std::vector<std::int32_t> column_sum(n_);
  for (std::size_t j = 0; j < n_; ++j) {
    for (std::size_t p = 0; p < k_; ++p) column_sum[j] += spec.weight(p, j) - ZeroOf(spec, j);
  }
  return std::make_unique<const PaddedEpilogue>(
      spec.epilogue, num_panels_ * columns_, column_sum, offset + spec.lhs_zero_point.value,
      has_row_terms_ && !HasOneZeroPoint(spec) ? spec.zero_point : std::span<const std::int8_t>());
}

bool S8Product::TakesSegments(const MicroKernels& micro, const Spec& spec) {
  return micro.s8->takes_segments && micro.s8_many_rows == nullptr && DifferencesFitS8(spec);
}

const S8Panels& S8Product::PanelsFor(std::size_t rows) const {
  const bool is_many = micro_.s8_many_rows != nullptr && rows >= micro_.many_rows_from;
  return is_many ? *micro_.s8_many_rows : *micro_.s8;
}

std::size_t S8Product::PackedRowsByteSize(const S8Panels& panels, std::size_t rows) const {
  return RoundUp(RoundUp(rows, panels.row_multiple) * k_padded_ * panels.lhs_element_size,
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
  panels.pack_lhs(lhs, lhs_stride, rows, k_, k_padded_, out);
  if (!has_row_terms_) return;
  // Of the packed inputs, which are too large by the panels' offset.
  const std::uint32_t start =
      static_cast<std::uint32_t>(k_) * static_cast<std::uint32_t>(panels.lhs_offset);
  micro_.sum_rows(lhs, lhs_stride, rows, k_, start, row_factor_,
                  reinterpret_cast<std::int32_t*>(out + PackedRowsByteSize(panels, rows)));
}

std::size_t S8Product::PackedByteSize() const {
  return weight_.ByteSize() + few_->ByteSize() + (many_ == nullptr ? 0 : many_->ByteSize());
}

void S8Product::Run(const Rows& rows) const {
  const EpilogueTable& table = (rows.panels == micro_.s8 ? *few_ : *many_).table();
  const std::size_t row_bytes = k_padded_ * rows.panels->lhs_element_size;
  const auto* row_terms = reinterpret_cast<const std::int32_t*>(
      rows.lhs + PackedRowsByteSize(*rows.panels, rows.count));
  std::uint32_t packed_offset[kTileRows];
  for (std::size_t r = 0; r < std::min(kTileRows, rows.count); ++r) {
    packed_offset[r] = static_cast<std::uint32_t>(r * row_bytes);
  }
  constexpr std::uint32_t kOneSegment = 0;
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  for (std::size_t panel = 0; panel < num_panels_; ++panel) {
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
                                 .row_term = has_row_terms_ ? row_terms + first : nullptr,
                                 .residual = OrNull(rows.residual, offset)};
      const bool is_packed = rows.row_offset == nullptr;
      const PanelInputs inputs = {
          .lhs = is_packed ? rows.lhs + first * row_bytes : rows.lhs,
          .row_offset = is_packed ? packed_offset : rows.row_offset + first,
          .rows = target.rows,
          .segment_offset = is_packed ? &kOneSegment : rows.segment_offset,
          .num_segments = is_packed ? 1 : num_segments_,
          .segment_size = is_packed ? k_padded_ : segment_padded_,
      };
      rows.panels->multiply(inputs, weight_.data() + panel * k_padded_ * columns_, tile);
      micro_.store_s8(table, target, tile);
    }
  }
}

}  // namespace octet::kernels
