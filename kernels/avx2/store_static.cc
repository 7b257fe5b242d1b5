// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2.
#include "kernels/avx2/store_static.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kBlock = 16;  // columns that are stored at a time

// What is added to the sums of row r for zero points of the weights.
struct NoTerms {
  static __m256i Add(__m256i sums, std::size_t /*r*/) { return sums; }
};
struct RowTerms {
  __m256i Add(__m256i sums, std::size_t r) const {
    return _mm256_add_epi32(sums, _mm256_set1_epi32(term[r]));
  }
  const std::int32_t* term;
};

// One block's part of the epilogue.
struct Block {
  Block(const EpilogueTable& table, std::size_t channel)
      : add{LoadIntegers(table.add + channel), LoadIntegers(table.add + channel + kBlock / 2)},
        scale{_mm256_loadu_ps(table.scale + channel),
              _mm256_loadu_ps(table.scale + channel + kBlock / 2)},
        most(_mm256_set1_ps(static_cast<float>(table.hi - table.zero_point))),
        zero(_mm256_set1_epi16(static_cast<std::int16_t>(table.zero_point))),
        lo(_mm256_set1_epi8(static_cast<char>(table.lo))) {}

  static __m256i LoadIntegers(const std::int32_t* values) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  }

  // Eight columns' results without their zero point. What is below int32 becomes its smallest
  // number, as all that is too small is clipped later.
  template <std::size_t kHalf, typename Terms>
  __m256i Round(const std::int32_t* sums, const Terms& terms, std::size_t r) const {
    const __m256i sum = _mm256_add_epi32(LoadIntegers(sums + kHalf * kBlock / 2), add[kHalf]);
    const __m256 real = _mm256_mul_ps(_mm256_cvtepi32_ps(terms.Add(sum, r)), scale[kHalf]);
    // Half to even: the mode that every thread begins with.
    return _mm256_cvtps_epi32(_mm256_min_ps(real, most));
  }

  // Row r's results: columns 0 to 3 and 8 to 11, then the others. Saturates.
  template <typename Terms>
  __m256i RoundRow(const std::int32_t* sums, const Terms& terms, std::size_t r) const {
    const __m256i rounded = _mm256_packs_epi32(Round<0>(sums, terms, r), Round<1>(sums, terms, r));
    return _mm256_adds_epi16(rounded, zero);
  }

  // Two rows' results in 16 bits each, as bytes in the order of columns.
  __m256i Narrow(__m256i row, __m256i next) const {
    const __m256i bytes = _mm256_max_epi8(_mm256_packs_epi16(row, next), lo);
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }

  __m256i add[2];
  __m256 scale[2];
  __m256 most;
  __m256i zero;
  __m256i lo;
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

inline void StoreRow(__m128i bytes, std::size_t size, std::int8_t* out) {
  if (size >= kBlock) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  } else {
    StoreFew(bytes, size, out);
  }
}

// Of one block of columns, from column `first` of the tile on.
template <typename Terms>
void StoreBlock(const EpilogueTable& table, const TileTarget& target, const Terms& terms,
                std::size_t columns, std::size_t first, const std::int32_t* tile) {
  const Block block(table, target.first_channel + first);
  const std::size_t size = target.num_channels - first;
  auto* out = static_cast<std::int8_t*>(target.out) + first;
  for (std::size_t r = 0; r < target.rows; r += 2) {
    // The last one of an odd number of rows is its own pair.
    const std::size_t next = r + 1 < target.rows ? r + 1 : r;
    const __m256i bytes = block.Narrow(block.RoundRow(tile + r * columns + first, terms, r),
                                       block.RoundRow(tile + next * columns + first, terms, next));
    StoreRow(_mm256_castsi256_si128(bytes), size, out + r * target.out_stride);
    StoreRow(_mm256_extracti128_si256(bytes, 1), size, out + next * target.out_stride);
  }
}

}  // namespace

void StoreStatic(const EpilogueTable& table, const TileTarget& target, std::size_t columns,
                 const std::int32_t* tile) {
  for (std::size_t first = 0; first < target.num_channels; first += kBlock) {
    if (target.row_term == nullptr) {
      StoreBlock(table, target, NoTerms{}, columns, first, tile);
    } else {
      StoreBlock(table, target, RowTerms{target.row_term}, columns, first, tile);
    }
  }
}

}  // namespace octet::kernels::avx2
