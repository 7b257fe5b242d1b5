// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ and VL.
#include "kernels/avx512vnni/row_quantize.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/avx512vnni/masks.h"
#include "kernels/elementary.h"
#include "kernels/vectorized/quantize.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kChains = 4;  // of maxima, to hide the latency of one

inline __m512 Magnitude(__m512 x) {
  const __m512i bits = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFFFFFF));
  return _mm512_castsi512_ps(bits);
}

// The largest |x|; NaN is passed over: vmaxps answers its second operand then.
float LargestMagnitude(const float* x, std::size_t size) {
  __m512 largest[kChains] = {};
  std::size_t i = 0;
  for (; i + kChains * kLanes <= size; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kChains; ++c) {
      largest[c] = _mm512_max_ps(Magnitude(_mm512_loadu_ps(x + i + c * kLanes)), largest[c]);
    }
  }
  for (; i < size; i += kLanes) {
    const __m512 rest = _mm512_maskz_loadu_ps(MaskOf(size - i), x + i);
    largest[0] = _mm512_max_ps(Magnitude(rest), largest[0]);
  }
  return _mm512_reduce_max_ps(
      _mm512_max_ps(_mm512_max_ps(largest[0], largest[1]), _mm512_max_ps(largest[2], largest[3])));
}

// Half to even: the mode that every thread begins with. No product is beyond the range by as much
// as a half, but upwards where it is clipped. NaN, which is converted to the smallest integer,
// becomes 0 by losing its upper bytes.
template <bool kClips>
inline __m128i Quantize(__m512 x, __m512 scale) {
  __m512 product = _mm512_mul_ps(x, scale);
  if constexpr (kClips) product = _mm512_min_ps(_mm512_set1_ps(127.0F), product);
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(product));
}

template <bool kClips>
void QuantizeAll(const RowQuantizeSpec& spec, std::span<const float> in, std::span<std::int8_t> out,
                 std::span<float> row_scale) {
  const std::size_t size = spec.row_size;
  for (std::size_t r = 0; r < spec.num_rows; ++r) {
    const float* source = in.data() + r * size;
    std::int8_t* target = out.data() + r * size;
    const float scale = RowScale(spec, LargestMagnitude(source, size));
    row_scale.data()[r] = scale;
    const __m512 scales = _mm512_set1_ps(scale);
    std::size_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
      const __m128i quantized = Quantize<kClips>(_mm512_loadu_ps(source + i), scales);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(target + i), quantized);
    }
    if (i < size) {
      const __mmask16 mask = MaskOf(size - i);
      _mm_mask_storeu_epi8(target + i, mask,
                           Quantize<kClips>(_mm512_maskz_loadu_ps(mask, source + i), scales));
    }
  }
}

}  // namespace

void QuantizeRows(const RowQuantizeSpec& spec, std::span<const float> in,
                  std::span<std::int8_t> out, std::span<float> row_scale) {
  if (spec.formula == RowScaleFormula::kHalfSteps) {
    QuantizeAll<true>(spec, in, out, row_scale);
  } else {
    QuantizeAll<false>(spec, in, out, row_scale);
  }
}

}  // namespace octet::kernels::avx512vnni
