// SPDX-License-Identifier: Apache-2.0
// In place of kernels/avx512vnni/intrinsics.h: AVX-512 emulated by SIMDe, and here what that lacks.

#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <simde/x86/avx512.h>

namespace octet::emulated {

// The lanes of a vector.
template <typename T, int kLanes = 16>
struct Lanes {
  template <typename Vector>
  static Lanes Of(const Vector& vector) {
    Lanes lanes;
    static_assert(sizeof(vector) == sizeof(lanes));
    std::memcpy(&lanes, &vector, sizeof(lanes));
    return lanes;
  }
  template <typename Vector>
  Vector As() const {
    Vector vector;
    static_assert(sizeof(vector) == sizeof(*this));
    std::memcpy(&vector, this, sizeof(vector));
    return vector;
  }
  T lane[kLanes];
};

template <typename T, typename Vector>
void MaskStore(void* out, simde__mmask16 mask, const Vector& value) {
  const auto lanes = Lanes<T>::Of(value);
  for (int i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) std::memcpy(static_cast<T*>(out) + i, &lanes.lane[i], sizeof(T));
  }
}

inline simde__m512 MaskLoad(simde__mmask16 mask, const float* in) {
  Lanes<float> lanes = {};
  for (int i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) lanes.lane[i] = in[i];
  }
  return lanes.As<simde__m512>();
}

// In halves, which have all that is lacking.
inline simde__m512i ToIntegers(simde__m512 value) {
  alignas(64) float in[16];
  alignas(64) int out[16];
  simde_mm512_store_ps(in, value);
  for (int i = 0; i < 16; i += 8) {
    simde_mm256_store_si256(reinterpret_cast<simde__m256i*>(out + i),
                            simde_mm256_cvtps_epi32(simde_mm256_load_ps(in + i)));
  }
  return simde_mm512_load_si512(out);
}
inline simde__m512 ToFloats(simde__m512i value) {
  const auto in = Lanes<int>::Of(value);
  Lanes<float> out;
  for (int i = 0; i < 16; ++i) out.lane[i] = static_cast<float>(in.lane[i]);
  return out.As<simde__m512>();
}
inline simde__m128i LowBytes(simde__m512i value) {
  const auto in = Lanes<int>::Of(value);
  Lanes<signed char> out;
  for (int i = 0; i < 16; ++i) out.lane[i] = static_cast<signed char>(in.lane[i]);
  return out.As<simde__m128i>();
}
inline float Largest(simde__m512 value) {
  const auto lanes = Lanes<float>::Of(value);
  float largest = lanes.lane[0];
  for (const float lane : lanes.lane) largest = lane > largest ? lane : largest;
  return largest;
}

inline float Total(simde__m512 value) {
  float total = 0;
  for (const float lane : Lanes<float>::Of(value).lane) total += lane;
  return total;
}
template <typename T, int kLanes>
simde__m512i ShiftRight(simde__m512i value, simde__m512i count) {
  auto lanes = Lanes<T, kLanes>::Of(value);
  const auto counts = Lanes<T, kLanes>::Of(count);
  for (int i = 0; i < kLanes; ++i) lanes.lane[i] = static_cast<T>(lanes.lane[i] >> counts.lane[i]);
  return lanes.template As<simde__m512i>();
}
inline simde__m512i ShiftRight64By(simde__m512i value, unsigned count) {
  return ShiftRight<std::int64_t, 8>(value, simde_mm512_set1_epi64(count));
}
inline float First(simde__m512 value) { return Lanes<float>::Of(value).lane[0]; }
// Bytes of vectors of any size. Others than the mask says are not touched.
template <typename Mask, typename Vector>
void MaskStoreBytes(void* out, Mask mask, const Vector& value) {
  signed char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    if ((mask >> i & 1) != 0) static_cast<signed char*>(out)[i] = bytes[i];
  }
}
template <typename Mask, typename Vector>
Vector MaskLoadBytes(Vector value, Mask mask, const void* in) {
  signed char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    if ((mask >> i & 1) != 0) bytes[i] = static_cast<const signed char*>(in)[i];
  }
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

}  // namespace octet::emulated

// The names are the instructions'.
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps octet::emulated::MaskStore<float>
#undef _mm_mask_storeu_epi8
#define _mm_mask_storeu_epi8 octet::emulated::MaskStore<signed char>
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps octet::emulated::MaskLoad
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32 octet::emulated::ToIntegers
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps octet::emulated::ToFloats
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8 octet::emulated::LowBytes
#undef _mm512_srav_epi64
#define _mm512_srav_epi64 (octet::emulated::ShiftRight<std::int64_t, 8>)
#undef _mm512_srai_epi64
#define _mm512_srai_epi64 octet::emulated::ShiftRight64By
#undef _mm512_srav_epi32
#define _mm512_srav_epi32 (octet::emulated::ShiftRight<std::int32_t, 16>)
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps octet::emulated::Total
#undef _mm512_cvtss_f32
#define _mm512_cvtss_f32 octet::emulated::First
#undef _mm512_reduce_max_ps
#define _mm512_reduce_max_ps octet::emulated::Largest
#undef _mm512_mask_storeu_epi8
#define _mm512_mask_storeu_epi8 octet::emulated::MaskStoreBytes
#undef _mm256_mask_storeu_epi8
#define _mm256_mask_storeu_epi8 octet::emulated::MaskStoreBytes
#undef _mm512_mask_loadu_epi8
#define _mm512_mask_loadu_epi8 octet::emulated::MaskLoadBytes
#undef _mm256_mask_loadu_epi8
#define _mm256_mask_loadu_epi8 octet::emulated::MaskLoadBytes
#undef _mm_mask_loadu_epi8
#define _mm_mask_loadu_epi8 octet::emulated::MaskLoadBytes
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

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

inline __m512i UpperHalves(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

}  // namespace
}  // namespace octet::kernels::avx512vnni
