// SPDX-License-Identifier: Apache-2.0
// Products in fixed point (kernels/fixed_point.h) of sixteen channels.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

// Products have 64 bits: those of even channels, and those of odd ones.
class FixedPointLanes {
 public:
  FixedPointLanes() = default;
  FixedPointLanes(const FixedPointTable& table, std::size_t channel) {
    multiplier_[0] = _mm512_loadu_si512(table.multiplier + channel);
    multiplier_[1] = _mm512_srli_epi64(multiplier_[0], 32);
    Load(table.round + channel, round_);
    Load(table.round_negative + channel, round_negative_);
    Load(table.shift + channel, shift_);
  }

  [[gnu::always_inline]] __m512i Multiply(__m512i x) const {
    const __m512i even = Multiply(x, 0);
    const __m512i odd = Multiply(_mm512_srli_epi64(x, 32), 1);
    return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  }

 private:
  // Sixteen values in 64 bits each.
  static void Load(const std::int64_t* values, __m512i (&halves)[2]) {
    const __m512i low = _mm512_loadu_si512(values);
    const __m512i high = _mm512_loadu_si512(values + 8);
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    halves[0] = _mm512_permutex2var_epi64(low, even, high);
    halves[1] = _mm512_permutex2var_epi64(low, odd, high);
  }

  [[gnu::always_inline]] __m512i Multiply(__m512i x, std::size_t half) const {
    const __m512i product = _mm512_mul_epi32(x, multiplier_[half]);
    const __m512i sign = _mm512_srai_epi64(product, 63);
    // sign ? round_negative : round
    const __m512i round =
        _mm512_ternarylogic_epi64(sign, round_negative_[half], round_[half], 0xCA);
    return _mm512_srav_epi64(_mm512_add_epi64(product, round), shift_[half]);
  }

  __m512i multiplier_[2];
  __m512i round_[2];
  __m512i round_negative_[2];
  __m512i shift_[2];
};

}  // namespace
}  // namespace octet::kernels::avx512vnni
