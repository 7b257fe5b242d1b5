// SPDX-License-Identifier: Apache-2.0
// The instructions of this folder; a test that emulates them on any CPU replaces this header.

#pragma once

#include <cstdint>
#include <immintrin.h>

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

// sum += the products of four neighbours each: unsigned bytes times signed ones. In place: of the
// intrinsic GCC makes a sum in another register, and copies each of them twice a step or runs out
// of registers.
inline void AddDotProducts(__m512i unsigned_bytes, __m512i signed_bytes, __m512i& sum) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
}

// 64 bytes, at a multiple of 64, into a register: of the intrinsic GCC loads them once for each
// use.
inline __m512i LoadOnce(const std::uint8_t* bytes) {
  __m512i result = _mm512_load_si512(bytes);
  asm("" : "+v"(result));
  return result;
}

// 16 of them.
inline __m512i LoadInt16AsInt32(const std::int16_t* values) {
  return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
}

// The upper 32 bits of eight numbers of 64 bits each, in turns.
inline __m512i UpperHalves(__m512i even, __m512i odd) {
  constexpr auto kUpperOfPairs = static_cast<_MM_PERM_ENUM>(0xF5);
  return _mm512_mask_shuffle_epi32(odd, 0x5555, even, kUpperOfPairs);
}

}  // namespace
}  // namespace octet::kernels::avx512vnni
