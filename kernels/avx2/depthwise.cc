// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "kernels/avx2/depthwise.h"

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "kernels/vectorized/blocks_of_rows.h"

namespace octet::kernels::avx2 {
namespace {

// Channels of one vector of sums.
constexpr std::size_t kLanes = kDepthwiseChannels;

// The inputs of two taps, alternating, as 16 bits: what vpmaddwd multiplies by a pair of weights
// and adds up exactly.
inline __m256i Pairs(__m128i alternating) { return _mm256_cvtepi8_epi16(alternating); }

inline __m128i Load8(const std::int8_t* x) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x));
}
inline __m128i Load16(const std::int8_t* x) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
}

// kPixels x kVectors * 8 sums in registers.
template <std::size_t kPixels, std::size_t kVectors>
void PixelsS8(const DepthwiseRun<std::int8_t>& run, std::size_t offset, const std::int16_t* filter,
              std::int32_t* sums) {
  __m256i sum[kPixels][kVectors];
#pragma GCC unroll 2
  for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) sum[p][v] = _mm256_setzero_si256();
  }
  for (std::size_t tap = 0; tap < run.num_taps; tap += 2) {
    const auto* weights = reinterpret_cast<const __m256i*>(filter + tap * run.padded_channels);
    const std::int8_t* first = run.taps[tap] + offset;
    const std::int8_t* second = run.taps[tap + 1] + offset;
#pragma GCC unroll 2
    for (std::size_t p = 0; p < kPixels; ++p) {
      const std::size_t step = p * run.pixel_step;
      if constexpr (kVectors == 2) {
        const __m128i a = Load16(first + step);
        const __m128i b = Load16(second + step);
        const __m256i low =
            _mm256_madd_epi16(Pairs(_mm_unpacklo_epi8(a, b)), _mm256_load_si256(weights));
        const __m256i high =
            _mm256_madd_epi16(Pairs(_mm_unpackhi_epi8(a, b)), _mm256_load_si256(weights + 1));
        sum[p][0] = _mm256_add_epi32(sum[p][0], low);
        sum[p][1] = _mm256_add_epi32(sum[p][1], high);
      } else {
        const __m128i both = _mm_unpacklo_epi8(Load8(first + step), Load8(second + step));
        sum[p][0] =
            _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(Pairs(both), _mm256_load_si256(weights)));
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) {
      auto* target = reinterpret_cast<__m256i*>(sums + p * run.columns + v * kLanes);
      _mm256_storeu_si256(target, sum[p][v]);
    }
  }
}

// The inputs of two taps, alternating, with their weights: 8 channels of int16 in order, or 16 as
// channels 0 to 3 and 8 to 11, then 4 to 7 and 12 to 15, which is what vpunpck makes.
inline __m256i Alternating(__m128i a, __m128i b) {
  return _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
}
inline __m256i LowHalves(__m256i a, __m256i b) { return _mm256_permute2x128_si256(a, b, 0x20); }
inline __m256i HighHalves(__m256i a, __m256i b) { return _mm256_permute2x128_si256(a, b, 0x31); }

// kPixels x kVectors * 8 sums in registers.
template <std::size_t kPixels, std::size_t kVectors>
void PixelsS16(const DepthwiseRun<std::int16_t>& run, std::size_t offset,
               const std::int16_t* filter, std::int32_t* sums) {
  __m256i sum[kPixels][kVectors];
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) sum[p][v] = _mm256_setzero_si256();
  }
  for (std::size_t tap = 0; tap < run.num_taps; tap += 2) {
    const auto* weights = reinterpret_cast<const __m256i*>(filter + tap * run.padded_channels);
    const std::int16_t* first = run.taps[tap] + offset;
    const std::int16_t* second = run.taps[tap + 1] + offset;
    if constexpr (kVectors == 2) {
      const __m256i low = LowHalves(_mm256_load_si256(weights), _mm256_load_si256(weights + 1));
      const __m256i high = HighHalves(_mm256_load_si256(weights), _mm256_load_si256(weights + 1));
#pragma GCC unroll 4
      for (std::size_t p = 0; p < kPixels; ++p) {
        const std::size_t step = p * run.pixel_step;
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + step));
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second + step));
        sum[p][0] =
            _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), low));
        sum[p][1] =
            _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), high));
      }
    } else {
#pragma GCC unroll 4
      for (std::size_t p = 0; p < kPixels; ++p) {
        const std::size_t step = p * run.pixel_step;
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + step));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(second + step));
        sum[p][0] = _mm256_add_epi32(
            sum[p][0], _mm256_madd_epi16(Alternating(a, b), _mm256_load_si256(weights)));
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) {
    auto* target = reinterpret_cast<__m256i*>(sums + p * run.columns);
    if constexpr (kVectors == 2) {
      _mm256_storeu_si256(target, LowHalves(sum[p][0], sum[p][1]));
      _mm256_storeu_si256(target + 1, HighHalves(sum[p][0], sum[p][1]));
    } else {
      _mm256_storeu_si256(target, sum[p][0]);
    }
  }
}

template <std::size_t kPixels, std::size_t kVectors>
void PixelsF32(const DepthwiseRun<float>& run, std::size_t offset, const float* filter,
               float* sums) {
  __m256 sum[kPixels][kVectors];
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) sum[p][v] = _mm256_setzero_ps();
  }
  for (std::size_t tap = 0; tap < run.num_taps; ++tap) {
    const float* weights = filter + tap * run.padded_channels;
    const float* x = run.taps[tap] + offset;
#pragma GCC unroll 4
    for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[p][v] = _mm256_fmadd_ps(_mm256_loadu_ps(x + p * run.pixel_step + v * kLanes),
                                    _mm256_load_ps(weights + v * kLanes), sum[p][v]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm256_storeu_ps(sums + p * run.columns + v * kLanes, sum[p][v]);
    }
  }
}

// All pixels of some channels, which begin at `channel` of the panel.
template <std::size_t kVectors>
void ChannelsS8(const DepthwiseRun<std::int8_t>& run, std::size_t channel,
                const std::int16_t* filter, std::int32_t* sums) {
  const std::size_t offset = run.first_channel + channel;
  const std::int16_t* weights = filter + 2 * offset;
  std::size_t p = 0;
  for (; p + 2 <= run.num_pixels; p += 2) {
    PixelsS8<2, kVectors>(run, offset + p * run.pixel_step, weights,
                          sums + p * run.columns + channel);
  }
  if (p < run.num_pixels) {
    PixelsS8<1, kVectors>(run, offset + p * run.pixel_step, weights,
                          sums + p * run.columns + channel);
  }
}

template <std::size_t kVectors>
void ChannelsS16(const DepthwiseRun<std::int16_t>& run, std::size_t channel,
                 const std::int16_t* filter, std::int32_t* sums) {
  const std::size_t offset = run.first_channel + channel;
  const std::int16_t* weights = filter + 2 * offset;
  ForBlocksOfRows<4>(run.num_pixels, [&]<std::size_t kPixels>(std::size_t p) {
    PixelsS16<kPixels, kVectors>(run, offset + p * run.pixel_step, weights,
                                 sums + p * run.columns + channel);
  });
}

template <std::size_t kVectors>
void ChannelsF32(const DepthwiseRun<float>& run, std::size_t channel, const float* filter,
                 float* sums) {
  const std::size_t offset = run.first_channel + channel;
  const float* weights = filter + offset;
  std::size_t p = 0;
  for (; p + 4 <= run.num_pixels; p += 4) {
    PixelsF32<4, kVectors>(run, offset + p * run.pixel_step, weights,
                           sums + p * run.columns + channel);
  }
  for (; p < run.num_pixels; ++p) {
    PixelsF32<1, kVectors>(run, offset + p * run.pixel_step, weights,
                           sums + p * run.columns + channel);
  }
}

}  // namespace

void DepthwiseS8(const DepthwiseRun<std::int8_t>& run, const std::int16_t* filter,
                 std::int32_t* sums) {
  std::size_t channel = 0;
  for (; channel + 2 * kLanes <= run.num_channels; channel += 2 * kLanes) {
    ChannelsS8<2>(run, channel, filter, sums);
  }
  if (channel < run.num_channels) ChannelsS8<1>(run, channel, filter, sums);
}

void DepthwiseS16(const DepthwiseRun<std::int16_t>& run, const std::int16_t* filter,
                  std::int32_t* sums) {
  std::size_t channel = 0;
  for (; channel + 2 * kLanes <= run.num_channels; channel += 2 * kLanes) {
    ChannelsS16<2>(run, channel, filter, sums);
  }
  if (channel < run.num_channels) ChannelsS16<1>(run, channel, filter, sums);
}

void DepthwiseF32(const DepthwiseRun<float>& run, const float* filter, float* sums) {
  std::size_t channel = 0;
  for (; channel + 2 * kLanes <= run.num_channels; channel += 2 * kLanes) {
    ChannelsF32<2>(run, channel, filter, sums);
  }
  if (channel < run.num_channels) ChannelsF32<1>(run, channel, filter, sums);
}

}  // namespace octet::kernels::avx2
