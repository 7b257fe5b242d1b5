// SPDX-License-Identifier: Apache-2.0
// In place of kernels/avx512vnni/intrinsics.h: AVX-512 emulated by SIMDe.

#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <cstdint>
#include <simde/x86/avx512.h>

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

inline void AddDotProducts(__m512i unsigned_bytes, __m512i signed_bytes, __m512i& sum) {
  sum = _mm512_dpbusd_epi32(sum, unsigned_bytes, signed_bytes);
}

inline __m512i LoadOnce(const std::uint8_t* bytes) { return _mm512_load_si512(bytes); }

inline __m512i LoadInt16AsInt32(const std::int16_t* values) {
  std::int32_t wide[16];
  for (int i = 0; i < 16; ++i) wide[i] = values[i];
  return _mm512_loadu_si512(wide);
}

}  // namespace
}  // namespace octet::kernels::avx512vnni
