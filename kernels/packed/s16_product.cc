// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/s16_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace octet::kernels {

PaddedEpilogueS16::PaddedEpilogueS16(const EpilogueS16& epilogue, std::size_t padded_n)
    : add_(padded_n), scale_(padded_n) {
  std::copy(epilogue.bias.begin(), epilogue.bias.end(), add_.data());
  std::copy(epilogue.multiplier.begin(), epilogue.multiplier.end(), scale_.data());
  table_ = {.kind = epilogue.kind,
            .add = add_.data(),
            .scale = scale_.data(),
            .rounding = epilogue.rounding,
            .lo = epilogue.lo,
            .hi = epilogue.hi,
            .activation = epilogue.activation};
}

S16Product::S16Product(const MicroKernels& micro, const Spec& spec)
    : micro_(micro),
      weight_({.k = spec.k,
               .n = spec.n,
               .num_segments = spec.num_segments,
               .k_multiple = kS16Interleave,
               .columns = micro.s16->columns,
               .interleave = kS16Interleave},
              spec.weight),
      parts_(MakeParts(spec)),
      epilogue_(spec.epilogue, weight_.padded_n()) {}

std::vector<S16Product::Part> S16Product::MakeParts(const Spec& spec) const {
  std::size_t most = 0;
  for (std::size_t j = 0; j < spec.n; ++j) {
    std::size_t magnitude = 0;
    for (std::size_t p = 0; p < spec.k; ++p) {
      magnitude += static_cast<std::size_t>(std::abs(int{spec.weight(p, j)}));
    }
    most = std::max(most, magnitude);
  }
  std::vector<Part> parts;
  if (most <= kMostS16Magnitude) return parts;
  for (std::size_t segment = 0; segment < spec.num_segments; ++segment) {
    for (std::size_t begin = 0; begin < segment_padded(); begin += kSafeS16Terms) {
      parts.push_back({.segment = segment,
                       .begin = begin,
                       .size = std::min(kSafeS16Terms, segment_padded() - begin)});
    }
  }
  return parts;
}

void S16Product::Run(const InputRows& rows) const {
  const std::size_t columns = weight_.layout().columns;
  alignas(64) std::int32_t tile[kTileRows * kMaxColumns];
  alignas(64) double total[kTileRows * kMaxColumns];
  weight_.ForEachTile(rows, sizeof(std::int16_t),
                      [&](std::size_t /*first*/, const PanelInputs& inputs,
                          const std::int8_t* weight, const TileTarget& target) {
                        if (parts_.empty()) {
                          micro_.s16->multiply(inputs, weight, tile);
                          micro_.store_s16(epilogue_.table(), target, tile);
                          return;
                        }
                        std::fill_n(total, target.rows * columns, 0.0);
                        for (const Part& part : parts_) {
                          PanelInputs some = inputs;
                          some.lhs += part.begin * sizeof(std::int16_t);
                          some.segment_offset += part.segment;
                          some.num_segments = 1;
                          some.segment_size = part.size;
                          const std::size_t begin = part.segment * segment_padded() + part.begin;
                          micro_.s16->multiply(some, weight + begin * columns, tile);
                          micro_.add_sums(tile, target.rows * columns, total);
                        }
                        micro_.store_s16_total(epilogue_.table(), target, total);
                      });
}

}  // namespace octet::kernels
