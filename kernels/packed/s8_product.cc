// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s8_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace octet::kernels {

PaddedFixedPoint::PaddedFixedPoint(std::size_t size, std::int64_t largest)
    : largest_(largest),
      right_shift_(size, 1),
      multiplier_(size),
      round_(size, FixedPointScale().round),
      round_negative_(size, FixedPointScale().round_negative),
      shift_(size, FixedPointScale().shift) {}

void PaddedFixedPoint::Set(std::size_t channel, const FixedPointScale& scale) {
  const std::int32_t right_shift = scale.shift - 31;
  right_shift_[channel] = right_shift;
  const bool is_rounded_twice = scale.round != scale.round_negative;
  has_right_shifts_ = has_right_shifts_ && is_rounded_twice && scale.multiplier >= 1 << 30 &&
                      largest_ + (std::int64_t{1} << (right_shift - 1)) <= INT32_MAX;
  multiplier_[channel] = scale.multiplier;
  round_[channel] = scale.round;
  round_negative_[channel] = scale.round_negative;
  shift_[channel] = scale.shift;
}

FixedPointTable PaddedFixedPoint::Table(std::size_t first) const {
  return {.right_shift = has_right_shifts_ ? right_shift_.data() + first : nullptr,
          .multiplier = multiplier_.data() + first,
          .round = round_.data() + first,
          .round_negative = round_negative_.data() + first,
          .shift = shift_.data() + first};
}

std::int64_t LargestSum(const Epilogue& epilogue, std::size_t num_terms) {
  constexpr std::int64_t kLargestProduct = std::int64_t{255} * 255;
  std::int64_t largest_bias = 0;
  for (const std::int32_t bias : epilogue.bias_s32) {
    largest_bias = std::max(largest_bias, std::abs(std::int64_t{bias}));
  }
  // More terms than these have sums beyond int32.
  const auto terms = static_cast<std::int64_t>(std::min(num_terms, std::size_t{1} << 20));
  return terms * kLargestProduct + largest_bias;
}

PaddedEpilogue::PaddedEpilogue(const Epilogue& epilogue, std::size_t padded_n,
                               std::size_t num_terms, std::span<const std::int32_t> column_sum,
                               std::int32_t offset, std::span<const std::int8_t> zero_point)
    : add_(padded_n),
      row_factor_(zero_point.empty() ? 0 : padded_n),
      scale_(padded_n, 1.0F),
      bias_(padded_n, -0.0F),
      fixed_(epilogue.kind == EpilogueKind::kStaticFixed ? padded_n : 0,
             LargestSum(epilogue, num_terms)) {
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
  if (epilogue.kind == EpilogueKind::kStaticFixed) {
    for (std::size_t j = 0; j < epilogue.fixed.size(); ++j) fixed_.Set(j, epilogue.fixed[j]);
  }
  table_ = {.kind = epilogue.kind,
            .convention = epilogue.convention,
            .add = add_.data(),
            .row_factor = zero_point.empty() ? nullptr : row_factor_.data(),
            .scale = scale_.data(),
            .bias = bias_.data(),
            .fixed = fixed_.Table(),
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

// Of the panels for few rows and for many, which multiply the same weights.
std::size_t KMultiple(const MicroKernels& micro) {
  return micro.s8_many_rows == nullptr
             ? micro.s8->k_multiple
             : std::max(micro.s8->k_multiple, micro.s8_many_rows->k_multiple);
}

bool HasOneZeroPoint(const S8Product::Spec& spec) {
  return std::all_of(spec.zero_point.begin(), spec.zero_point.end(),
                     [&](std::int8_t zero) { return zero == spec.zero_point[0]; });
}

}  // namespace

S8Product::S8Product(const MicroKernels& micro, const Spec& spec)
    : micro_(micro),
      has_row_terms_(!DifferencesFitS8(spec)),
      row_factor_(has_row_terms_ && HasOneZeroPoint(spec)
                      ? 0U - static_cast<std::uint32_t>(spec.zero_point[0])
                      : 1U),
      weight_({.k = spec.k,
               .n = spec.n,
               .num_segments = spec.num_segments,
               .k_multiple = KMultiple(micro),
               .columns = micro.s8->columns,
               .interleave = micro.s8->interleave},
              [&](std::size_t p, std::size_t j) {
                const int zero = has_row_terms_ ? 0 : ZeroOf(spec, j);
                return static_cast<std::int8_t>(spec.weight(p, j) - zero);
              }),
      few_(MakeEpilogue(spec, micro.s8->lhs_offset)),
      many_(micro.s8_many_rows == nullptr ? nullptr
                                          : MakeEpilogue(spec, micro.s8_many_rows->lhs_offset)) {}

std::unique_ptr<const PaddedEpilogue> S8Product::MakeEpilogue(const Spec& spec,
                                                              std::int32_t offset) const {
  std::vector<std::int32_t> column_sum(spec.n);
  for (std::size_t j = 0; j < spec.n; ++j) {
    for (std::size_t p = 0; p < spec.k; ++p) column_sum[j] += spec.weight(p, j) - ZeroOf(spec, j);
  }
  return std::make_unique<const PaddedEpilogue>(
      spec.epilogue, weight_.padded_n(), spec.k, column_sum, offset + spec.lhs_zero_point.value,
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
  return RoundUp(RoundUp(rows, panels.row_multiple) * weight_.k_padded() * panels.lhs_element_size,
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
  const std::size_t k = weight_.layout().k;
  panels.pack_lhs(lhs, lhs_stride, rows, k, weight_.k_padded(), out);
  if (!has_row_terms_) return;
  // Of the packed inputs, which are too large by the panels' offset.
  const std::uint32_t start =
      static_cast<std::uint32_t>(k) * static_cast<std::uint32_t>(panels.lhs_offset);
  micro_.sum_rows(lhs, lhs_stride, rows, k, start, row_factor_,
                  reinterpret_cast<std::int32_t*>(out + PackedRowsByteSize(panels, rows)));
}

std::size_t S8Product::PackedByteSize() const {
  return weight_.ByteSize() + few_->ByteSize() + (many_ == nullptr ? 0 : many_->ByteSize());
}

void S8Product::Run(const S8Panels& panels, const InputRows& rows, const RowScales& scales) const {
  const EpilogueTable& table = (&panels == micro_.s8 ? *few_ : *many_).table();
  const auto* row_terms =
      reinterpret_cast<const std::int32_t*>(rows.lhs + PackedRowsByteSize(panels, rows.count));
  const auto of_rows = [&](std::size_t first, TileTarget target) {
    target.row_scales = scales;
    target.row_scales.first_row += first;
    if (has_row_terms_) target.row_term = row_terms + first;
    return target;
  };
  if (panels.multiply_and_store != nullptr) {
    weight_.ForEachBlock(rows, panels.lhs_element_size,
                         [&](std::size_t first, const PanelInputs& inputs,
                             const std::int8_t* weights, const TileTarget& target) {
                           panels.multiply_and_store(inputs, weights, table,
                                                     of_rows(first, target));
                         });
    return;
  }
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  weight_.ForEachTile(rows, panels.lhs_element_size,
                      [&](std::size_t first, const PanelInputs& inputs, const std::int8_t* weight,
                          const TileTarget& target) {
                        panels.multiply(inputs, weight, tile);
                        micro_.store_s8(table, of_rows(first, target), tile);
                      });
}

}  // namespace octet::kernels
