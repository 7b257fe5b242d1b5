// SPDX-License-Identifier: Apache-2.0
// Products in fixed point (kernels/fixed_point.h) of sixteen channels. Products have 64 bits: those
// of even channels, and those of odd ones.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

// Of any table.
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

// Of a table with right_shift. What is rounded the second time,
//   y + 2^(right_shift - 1) - (x < 0) with y = (2 * x * multiplier + 2^31) >> 32,
// is the upper half of one 64-bit sum, but for its last term. Products are of unsigned numbers: one
// of an x below 0 is too large by 2^32 * 2 * multiplier.
class TwiceRoundedLanes {
 public:
  TwiceRoundedLanes() = default;
  TwiceRoundedLanes(const FixedPointTable& table, std::size_t channel)
      : right_shift_(_mm512_loadu_si512(table.right_shift + channel)) {
    const __m512i one = _mm512_set1_epi32(1);
    multiplier_[0] = _mm512_slli_epi32(_mm512_loadu_si512(table.multiplier + channel), 1);
    multiplier_[1] = _mm512_srli_epi64(multiplier_[0], 32);
    if_negative_ = _mm512_add_epi32(multiplier_[0], one);
    const __m512i half = _mm512_sllv_epi32(one, _mm512_sub_epi32(right_shift_, one));
    const __m512i round = _mm512_set1_epi64(std::int64_t{1} << 31);
    const __m512i upper = _mm512_set1_epi64(-(std::int64_t{1} << 32));
    round_[0] = _mm512_or_si512(_mm512_slli_epi64(half, 32), round);
    round_[1] = _mm512_or_si512(_mm512_and_si512(half, upper), round);
  }

  [[gnu::always_inline]] __m512i Multiply(__m512i x) const {
    const __m512i even = _mm512_add_epi64(_mm512_mul_epu32(x, multiplier_[0]), round_[0]);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epu32(_mm512_srli_epi64(x, 32), multiplier_[1]), round_[1]);
    const __m512i upper = UpperHalves(even, odd);
    const __m512i sum = _mm512_mask_sub_epi32(upper, _mm512_movepi32_mask(x), upper, if_negative_);
    return _mm512_srav_epi32(sum, right_shift_);
  }

 private:
  __m512i multiplier_[2];
  __m512i round_[2];
  __m512i if_negative_;
  __m512i right_shift_;
};

}  // namespace
}  // namespace octet::kernels::avx512vnni
