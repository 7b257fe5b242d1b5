// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2.
#include "kernels/avx2/row_sums.h"

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kRows = 4;  // summed at a time, at most
constexpr std::size_t kWord = 8;

// vpsadbw adds eight unsigned bytes up: values are shifted by 128.
constexpr std::uint64_t kShift = 0x8080808080808080U;

inline std::int64_t LoadWord(const std::int8_t* x) {
  std::uint64_t word = 0;
  __builtin_memcpy(&word, x, kWord);
  return static_cast<std::int64_t>(word ^ kShift);
}

// The last `size` of the k bytes, fewer than a word; above them zeros.
inline std::int64_t LoadLast(const std::int8_t* x, std::size_t k, std::size_t size) {
  const auto word = static_cast<std::uint64_t>(LoadWord(x + k - kWord));
  return static_cast<std::int64_t>(word >> (64 - 8 * size));
}

inline __m256i AddBytes(__m256i sum, __m256i shifted) {
  return _mm256_add_epi64(sum, _mm256_sad_epu8(shifted, _mm256_setzero_si256()));
}

// The sums of kCount rows of at least a word, each value shifted; modulo 2^32.
template <std::size_t kCount>
inline __m128i SumShifted(const std::int8_t* values, std::size_t stride, std::size_t k) {
  const std::int8_t* x[kCount];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kCount; ++r) x[r] = values + r * stride;
  const __m256i shift = _mm256_set1_epi64x(static_cast<std::int64_t>(kShift));
  __m256i sum[kRows] = {};
  std::size_t p = 0;
  for (; p + 32 <= k; p += 32) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kCount; ++r) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x[r] + p));
      sum[r] = AddBytes(sum[r], _mm256_xor_si256(bytes, shift));
    }
  }
  for (; p + kWord <= k; p += kWord) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kCount; ++r) {
      sum[r] = AddBytes(sum[r], _mm256_zextsi128_si256(_mm_cvtsi64_si128(LoadWord(x[r] + p))));
    }
  }
  if (p < k) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kCount; ++r) {
      const __m128i last = _mm_cvtsi64_si128(LoadLast(x[r], k, k - p));
      sum[r] = AddBytes(sum[r], _mm256_zextsi128_si256(last));
    }
  }
  // Of each row there are four sums of 64 bits, of which 32 matter.
  const __m256i a = _mm256_blend_epi32(sum[0], _mm256_slli_epi64(sum[1], 32), 0xAA);
  const __m256i b = _mm256_blend_epi32(sum[2], _mm256_slli_epi64(sum[3], 32), 0xAA);
  const __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
  return _mm_add_epi32(_mm256_castsi256_si128(ab), _mm256_extracti128_si256(ab, 1));
}

// As SumRows, of kCount rows of at least a word.
template <std::size_t kCount>
inline void SumSomeRows(const std::int8_t* values, std::size_t stride, std::size_t k,
                        std::uint32_t start, std::uint32_t factor, std::int32_t* sums) {
  const std::uint32_t unshift = start - 128U * static_cast<std::uint32_t>(k);
  const __m128i add = _mm_set1_epi32(static_cast<std::int32_t>(unshift));
  const __m128i multiply = _mm_set1_epi32(static_cast<std::int32_t>(factor));
  const __m128i shifted = SumShifted<kCount>(values, stride, k);
  const __m128i sum = _mm_mullo_epi32(_mm_add_epi32(shifted, add), multiply);
  __builtin_memcpy(sums, &sum, kCount * sizeof(*sums));
}

}  // namespace

void SumRows(const std::int8_t* values, std::size_t stride, std::size_t rows, std::size_t k,
             std::uint32_t start, std::uint32_t factor, std::int32_t* sums) {
  if (k >= kWord) {
    for (; rows >= kRows; rows -= kRows, values += kRows * stride, sums += kRows) {
      SumSomeRows<kRows>(values, stride, k, start, factor, sums);
    }
    if (rows == 3) return SumSomeRows<3>(values, stride, k, start, factor, sums);
    if (rows == 2) return SumSomeRows<2>(values, stride, k, start, factor, sums);
    if (rows == 1) return SumSomeRows<1>(values, stride, k, start, factor, sums);
    return;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    std::uint32_t sum = start;
    const std::int8_t* x = values + r * stride;
    for (std::size_t p = 0; p < k; ++p) sum += static_cast<std::uint32_t>(std::int32_t{x[p]});
    sums[r] = static_cast<std::int32_t>(factor * sum);
  }
}

}  // namespace octet::kernels::avx2
