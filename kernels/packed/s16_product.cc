// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s16_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace octet::kernels {

PaddedEpilogueS16::PaddedEpilogueS16(const EpilogueS16& epilogue, std::size_t padded_n)
    : add_(padded_n), scale_(padded_n) {
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), add_.data());
  std::copy(epilogue.multiplier.begin(), epilogue.multiplier.end(), scale_.data());
  table_ = {.kind = epilogue.kind,
            .add = add_.data(),
            .scale = scale_.data(),
            .lo = epilogue.lo,
            .hi = epilogue.hi,
            .activation = epilogue.activation};
}

S16Product::S16Product(const MicroKernels& micro, const Spec& spec)
    : micro_(micro),
      k_(spec.k),
      n_(spec.n),
      columns_(micro.s16->columns),
      num_panels_((spec.n - 1) / columns_ + 1),
      num_segments_(spec.num_segments),
      segment_padded_(RoundUp(spec.k / spec.num_segments, kS16Interleave)),
      k_padded_(num_segments_ * segment_padded_),
      epilogue_(spec.epilogue, num_panels_ * columns_) {
  PackWeights(spec);
  MakeParts(spec);
}

void S16Product::PackWeights(const Spec& spec) {
  const std::size_t segment = k_ / num_segments_;
  weight_ = AlignedArray<std::int8_t>(num_panels_ * k_padded_ * columns_);
  for (std::size_t j = 0; j < n_; ++j) {
    for (std::size_t p = 0; p < k_; ++p) {
      const std::size_t q = p / segment * segment_padded_ + p % segment;
      weight_[j / columns_ * k_padded_ * columns_ +
              (q / kS16Interleave * columns_ + j % columns_) * kS16Interleave +
              q % kS16Interleave] = spec.weight(p, j);
    }
  }
}

void S16Product::MakeParts(const Spec& spec) {
  std::size_t most = 0;
  for (std::size_t j = 0; j < n_; ++j) {
    std::size_t magnitude = 0;
    for (std::size_t p = 0; p < k_; ++p) {
      magnitude += static_cast<std::size_t>(std::abs(int{spec.weight(p, j)}));
    }
    most = std::max(most, magnitude);
  }
  if (most <= kMostS16Magnitude) {
    parts_ = {
        {.first_segment = 0, .num_segments = num_segments_, .begin = 0, .size = segment_padded_}};
    return;
  }
  for (std::size_t segment = 0; segment < num_segments_; ++segment) {
    for (std::size_t begin = 0; begin < segment_padded_; begin += kSafeS16Terms) {
      parts_.push_back({.first_segment = segment,
                        .num_segments = 1,
                        .begin = begin,
                        .size = std::min(kSafeS16Terms, segment_padded_ - begin)});
    }
  }
}

void S16Product::Run(const Rows& rows) const {
  const std::size_t row_bytes = k_padded_ * sizeof(std::int16_t);
  const bool is_packed = rows.row_offset == nullptr;
  std::uint32_t packed_offset[kTileRows];
  for (std::size_t r = 0; r < std::min(kTileRows, rows.count); ++r) {
    packed_offset[r] = static_cast<std::uint32_t>(r * row_bytes);
  }
  constexpr std::uint32_t kOneSegment = 0;
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  alignas(64) double total[kTileRows * kMaxColumns];
  for (std::size_t panel = 0; panel < num_panels_; ++panel) {
    const std::size_t channel = panel * columns_;
    const std::int8_t* weight = weight_.data() + panel * k_padded_ * columns_;
    for (std::size_t first = 0; first < rows.count; first += kTileRows) {
      const std::size_t offset = first * rows.out_stride + channel;
      const TileTarget target = {.rows = std::min(kTileRows, rows.count - first),
                                 .first_channel = channel,
                                 .num_channels = std::min(columns_, n_ - channel),
                                 .first_row = 0,
                                 .rows_per_scale = 1,
                                 .row_scale = nullptr,
                                 .out = rows.out + offset * rows.out_element_size,
                                 .out_stride = rows.out_stride};
      const auto multiply = [&](const Part& part) {
        const std::size_t begin = part.first_segment * segment_padded_ + part.begin;
        const PanelInputs inputs = {
            .lhs =
                rows.lhs + part.begin * sizeof(std::int16_t) + (is_packed ? first * row_bytes : 0),
            .row_offset = is_packed ? packed_offset : rows.row_offset + first,
            .rows = target.rows,
            .segment_offset = is_packed ? &kOneSegment : rows.segment_offset + part.first_segment,
            .num_segments = part.num_segments,
            .segment_size = part.size,
        };
        micro_.s16->multiply(inputs, weight + begin * columns_, tile);
      };
      if (parts_.size() == 1) {
        multiply(parts_.front());
        micro_.store_s16(epilogue_.table(), target, tile);
        continue;
      }
      std::fill_n(total, target.rows * columns_, 0.0);
      for (const Part& part : parts_) {
        multiply(part);
        micro_.add_sums(tile, target.rows * columns_, total);
      }
      micro_.store_s16_total(epilogue_.table(), target, total);
    }
  }
}

}  // namespace octet::kernels
