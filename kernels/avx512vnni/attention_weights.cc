// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ and VL.
#include "kernels/avx512vnni/attention_weights.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/avx512vnni/masks.h"
#include "kernels/elementary.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kColumns = 32;

// Calls visit(vector, first key, mask) for all scores of a row; keys beyond the last have a mask.
template <typename Visit>
[[gnu::always_inline]] inline void ForEachVector(const AttentionScores& scores, std::size_t row,
                                                 const Visit& visit) {
  const float* x = scores.scores + row * kColumns;
  std::size_t key = 0;
  for (; key + kColumns <= scores.keys; key += kColumns, x += scores.panel_rows * kColumns) {
    visit(_mm512_loadu_ps(x), key, kWhole);
    visit(_mm512_loadu_ps(x + kLanes), key + kLanes, kWhole);
  }
  for (; key < scores.keys; key += kLanes, x += kLanes) {
    visit(_mm512_loadu_ps(x), key, MaskOf(scores.keys, key));
  }
}

// exp(x) for x that is at most 0, or NaN: kernels/elementary.h's Exp.
inline __m512 ExpOfNegative(__m512 x) {
  using F = ExpFormula;
  const __m512 c = _mm512_max_ps(_mm512_set1_ps(F::kLowest), x);
  const __m512 magic = _mm512_set1_ps(F::kMagic);
  const __m512 shifted = _mm512_fmadd_ps(c, _mm512_set1_ps(F::kLog2OfE), magic);
  const __m512 n = _mm512_sub_ps(shifted, magic);
  __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(F::kMinusLn2High), c);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(F::kMinusLn2Low), r);
  __m512 p = _mm512_set1_ps(F::kTwiceExp[0]);
#pragma GCC unroll 6
  for (std::size_t i = 1; i < F::kNumCoefficients; ++i) {
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(F::kTwiceExp[i]));
  }
  const __m512i exponent =
      _mm512_add_epi32(_mm512_castps_si512(shifted), _mm512_set1_epi32(F::kExponentBias));
  return _mm512_mul_ps(p, _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23)));
}

// NaN is passed over: vmaxps answers its second operand then.
float LargestScore(const AttentionScores& scores, std::size_t row, float before) {
  __m512 largest = _mm512_set1_ps(before);
  ForEachVector(scores, row, [&](__m512 x, std::size_t /*key*/, __mmask16 mask) {
    largest = _mm512_max_ps(_mm512_mask_mov_ps(largest, mask, x), largest);
  });
  return _mm512_reduce_max_ps(largest);
}

}  // namespace

void AttentionWeights(const AttentionScores& scores, std::size_t stride, float* weights) {
  const __m512 scale = _mm512_set1_ps(scores.scale);
  for (std::size_t row = 0; row < scores.rows; ++row) {
    const float before = scores.largest[row];
    const float largest = LargestScore(scores, row, before);
    scores.largest[row] = largest;
    const __m512 shift = _mm512_set1_ps(largest);
    float* out = weights + row * stride;
    __m512 sum = _mm512_setzero_ps();
    ForEachVector(scores, row, [&](__m512 x, std::size_t key, __mmask16 mask) {
      const __m512 weight = ExpOfNegative(_mm512_mul_ps(_mm512_sub_ps(x, shift), scale));
      if (mask == kWhole) {
        _mm512_storeu_ps(out + key, weight);
        sum = _mm512_add_ps(sum, weight);
      } else {
        _mm512_mask_storeu_ps(out + key, mask, weight);
        sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(mask, weight));
      }
    });
    const __m512 rest = _mm512_set1_ps((before - largest) * scores.scale);
    const float rescale = _mm512_cvtss_f32(ExpOfNegative(rest));
    scores.sum[row] = scores.sum[row] * rescale + _mm512_reduce_add_ps(sum);
    scores.rescale[row] = rescale;
  }
}

}  // namespace octet::kernels::avx512vnni
