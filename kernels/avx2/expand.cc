// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2.
#include "kernels/avx2/expand.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kBlock = 8;  // columns that are expanded at a time

// What kBlock columns from `first` on have in common.
struct Columns {
  Columns(const ExpandRun& run, std::size_t first)
      : zero(_mm256_loadu_ps(run.zero + first)), scale(_mm256_loadu_ps(run.scale + first)) {}

  // Nibbles are small enough to be signed bytes.
  void Expand(__m128i bytes, float* out) const {
    const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_sub_ps(value, zero), scale));
  }

  __m256 zero;
  __m256 scale;
};

__m128i LoadEight(const void* bytes) { return _mm_loadl_epi64(static_cast<const __m128i*>(bytes)); }

}  // namespace

void ExpandS8(const ExpandRun& run, const std::int8_t* values) {
  for (std::size_t first = 0; first < run.columns; first += kBlock) {
    const Columns columns(run, first);
    for (std::size_t r = 0; r < run.rows; ++r) {
      const std::size_t i = r * run.columns + first;
      columns.Expand(LoadEight(values + i), run.out + i);
    }
  }
}

void ExpandS4(const ExpandRun& run, const std::uint8_t* nibbles) {
  const __m128i low = _mm_set1_epi8(15);
  const std::size_t half = run.columns / 2;
  for (std::size_t first = 0; first < half; first += kBlock) {
    const Columns left(run, first);
    const Columns right(run, half + first);
    for (std::size_t r = 0; r < run.rows; ++r) {
      const __m128i both = LoadEight(nibbles + r * half + first);
      float* out = run.out + r * run.columns + first;
      left.Expand(_mm_and_si128(both, low), out);
      right.Expand(_mm_and_si128(_mm_srli_epi16(both, 4), low), out + half);
    }
  }
}

}  // namespace octet::kernels::avx2
