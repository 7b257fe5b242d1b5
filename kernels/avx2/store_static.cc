// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2.
#include "kernels/avx2/store_static.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kBlock = 16;  // columns that are stored at a time

// Eight columns' part of the epilogue.
struct Columns {
  Columns(const EpilogueTable& table, std::size_t channel)
      : add(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table.add + channel))),
        scale(_mm256_loadu_ps(table.scale + channel)),
        lo(_mm256_set1_ps(static_cast<float>(table.lo - table.zero_point))),
        hi(_mm256_set1_ps(static_cast<float>(table.hi - table.zero_point))) {}

  // Half to even: the mode that every thread begins with.
  __m256i Round(const std::int32_t* sums, __m256i term) const {
    const __m256i sum = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
    const __m256i finished = _mm256_add_epi32(_mm256_add_epi32(sum, add), term);
    const __m256 real = _mm256_mul_ps(_mm256_cvtepi32_ps(finished), scale);
    return _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(real, lo), hi));
  }

  __m256i add;
  __m256 scale;
  __m256 lo;
  __m256 hi;
};

void StoreFew(__m128i bytes, std::size_t size, std::int8_t* out) {
  alignas(16) std::int8_t all[kBlock];
  _mm_store_si128(reinterpret_cast<__m128i*>(all), bytes);
  const std::int8_t* from = all;
  for (const std::size_t piece : {8UL, 4UL, 2UL, 1UL}) {
    if ((size & piece) == 0) continue;
    __builtin_memcpy(out, from, piece);
    from += piece;
    out += piece;
  }
}

// Of one block of columns, from column `first` of the tile on.
void StoreBlock(const EpilogueTable& table, const TileTarget& target, std::size_t columns,
                std::size_t first, const std::int32_t* tile) {
  const std::size_t channel = target.first_channel + first;
  const Columns left(table, channel);
  const Columns right(table, channel + kBlock / 2);
  const __m128i zero = _mm_set1_epi16(static_cast<std::int16_t>(table.zero_point));
  const std::size_t rest = target.num_channels - first;
  auto* out = static_cast<std::int8_t*>(target.out) + first;
  for (std::size_t r = 0; r < target.rows; ++r, out += target.out_stride) {
    const std::int32_t* sums = tile + r * columns + first;
    const __m256i term = _mm256_set1_epi32(target.row_term == nullptr ? 0 : target.row_term[r]);
    // Both halves' low columns, then their high ones: eight of `left`, then of `right`.
    const __m256i mixed =
        _mm256_packs_epi32(left.Round(sums, term), right.Round(sums + kBlock / 2, term));
    const __m256i shorts = _mm256_permute4x64_epi64(mixed, 0xD8);
    const __m128i bytes = _mm_packs_epi16(_mm_add_epi16(_mm256_castsi256_si128(shorts), zero),
                                          _mm_add_epi16(_mm256_extracti128_si256(shorts, 1), zero));
    if (rest >= kBlock) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    } else {
      StoreFew(bytes, rest, out);
    }
  }
}

}  // namespace

void StoreStatic(const EpilogueTable& table, const TileTarget& target, std::size_t columns,
                 const std::int32_t* tile) {
  for (std::size_t first = 0; first < target.num_channels; first += kBlock) {
    StoreBlock(table, target, columns, first, tile);
  }
}

}  // namespace octet::kernels::avx2
