// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/avx512vnni/depthwise.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kVector = 64;  // bytes

// Of the lowest `size` bytes.
inline __mmask64 LowestBytes(std::size_t size) { return ~__mmask64{0} >> (kVector - size); }

// --- columns: four rows of the image, interleaved byte by byte.

// The channels that `mask` says of `count` columns, the last of them repeated.
template <std::size_t kColumns>
inline __m512i LoadColumns(const std::int8_t* x, std::size_t step, std::size_t count,
                           __mmask64 mask) {
  const auto column = [&](std::size_t i) { return x + (i < count ? i : count - 1) * step; };
  if constexpr (kColumns == 1) {
    return _mm512_maskz_loadu_epi8(mask, x);
  } else if constexpr (kColumns == 2) {
    const auto half = static_cast<__mmask32>(mask);
    const __m512i low = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(half, x));
    return _mm512_inserti64x4(low, _mm256_maskz_loadu_epi8(half, column(1)), 1);
  } else {
    const auto quarter = static_cast<__mmask16>(mask);
    __m512i all = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(quarter, x));
    all = _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(quarter, column(1)), 1);
    all = _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(quarter, column(2)), 2);
    return _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(quarter, column(3)), 3);
  }
}

inline void Store(std::byte* target, __m512i value) { _mm512_storeu_si512(target, value); }

// vpdpbusd multiplies unsigned by signed bytes: inputs are shifted by 128.
inline __m512i Shift(__m512i inputs) {
  return _mm512_xor_si512(inputs, _mm512_set1_epi8(static_cast<char>(0x80)));
}

// Four rows' bytes become a stream of four bytes a channel for each quarter of every 16 channels.
inline void StoreInterleaved(__m512i a, __m512i b, __m512i c, __m512i d, std::size_t stream_size,
                             std::byte* target) {
  const __m512i low_ab = Shift(_mm512_unpacklo_epi8(a, b));
  const __m512i low_cd = Shift(_mm512_unpacklo_epi8(c, d));
  const __m512i high_ab = Shift(_mm512_unpackhi_epi8(a, b));
  const __m512i high_cd = Shift(_mm512_unpackhi_epi8(c, d));
  Store(target, _mm512_unpacklo_epi16(low_ab, low_cd));
  Store(target + stream_size, _mm512_unpackhi_epi16(low_ab, low_cd));
  Store(target + 2 * stream_size, _mm512_unpacklo_epi16(high_ab, high_cd));
  Store(target + 3 * stream_size, _mm512_unpackhi_epi16(high_ab, high_cd));
}

// Columns [begin, end) of a phase are padding. What follows them may be overwritten.
template <std::size_t kColumns>
void StorePadding(const DepthwiseStrip& strip, std::size_t begin, std::size_t end,
                  std::byte* target) {
  const __m512i padding = Shift(_mm512_set1_epi8(strip.padding));
  for (std::size_t i = begin; i < end; i += kColumns) {
#pragma GCC unroll 4
    for (std::size_t quarter = 0; quarter < 4; ++quarter) {
      Store(target + quarter * strip.stream_size + i * (kVector / kColumns), padding);
    }
  }
}

struct Range {
  std::size_t begin;
  std::size_t end;
};

// Which columns of a phase lie inside the image.
inline Range InsideColumns(const DepthwiseStrip& strip, std::size_t phase) {
  const auto first = strip.first_column + static_cast<std::ptrdiff_t>(phase);
  const auto width = static_cast<std::ptrdiff_t>(strip.in_width);
  const auto stride = static_cast<std::ptrdiff_t>(strip.stride);
  const auto index_of = [&](std::ptrdiff_t column) {
    const std::ptrdiff_t distance = column - first;
    const auto index = static_cast<std::size_t>(distance <= 0 ? 0 : (distance + stride - 1) / stride);
    return index < strip.num_columns ? index : strip.num_columns;
  };
  return {index_of(0), index_of(width)};
}

// One phase of one group of four rows.
template <std::size_t kColumns>
void InterleaveColumns(const DepthwiseStrip& strip, std::size_t group, std::size_t phase,
                       std::byte* target) {
  const Range inside = InsideColumns(strip, phase);
  StorePadding<kColumns>(strip, 0, inside.begin, target);
  if (inside.begin == inside.end) {
    StorePadding<kColumns>(strip, inside.end, strip.num_columns, target);
    return;
  }
  const std::int8_t* row[4];
  std::size_t step[4];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < 4; ++r) {
    const std::size_t row_step = strip.row_steps[4 * group + r];
    const std::ptrdiff_t column =
        strip.first_column + static_cast<std::ptrdiff_t>(inside.begin * strip.stride + phase);
    row[r] = strip.rows[4 * group + r] + strip.first_channel +
             column * static_cast<std::ptrdiff_t>(row_step);
    step[r] = strip.stride * row_step;
  }
  const __mmask64 mask = LowestBytes(strip.num_channels);
  std::size_t i = inside.begin;
  for (; i + kColumns <= inside.end; i += kColumns) {
    __m512i x[4];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < 4; ++r) {
      x[r] = strip.is_dense ? _mm512_loadu_si512(row[r])
                            : LoadColumns<kColumns>(row[r], step[r], kColumns, mask);
      row[r] += kColumns * step[r];
    }
    StoreInterleaved(x[0], x[1], x[2], x[3], strip.stream_size,
                     target + i * (kVector / kColumns));
  }
  if (i < inside.end) {
    const std::size_t count = inside.end - i;
    StoreInterleaved(LoadColumns<kColumns>(row[0], step[0], count, mask),
                     LoadColumns<kColumns>(row[1], step[1], count, mask),
                     LoadColumns<kColumns>(row[2], step[2], count, mask),
                     LoadColumns<kColumns>(row[3], step[3], count, mask), strip.stream_size,
                     target + i * (kVector / kColumns));
  }
  StorePadding<kColumns>(strip, inside.end, strip.num_columns, target);
}

template <std::size_t kColumns>
void Interleave(const DepthwiseStrip& strip) {
  std::byte* target = strip.scratch;
  for (std::size_t group = 0; group < strip.num_groups; ++group) {
    for (std::size_t phase = 0; phase < strip.num_phases; ++phase) {
      InterleaveColumns<kColumns>(strip, group, phase, target);
      target += 4 * strip.stream_size;
    }
  }
}

// --- sums: a vector has a quarter of the channels of its pixels.

// kRows x kUnits vectors of results without their zero point. What is below int32 becomes its
// smallest number, as all that is too small is clipped later. kTaps is 0 where it varies.
template <std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
inline void RoundQuarter(const DepthwiseStrip& strip, std::size_t quarter, const std::byte* columns,
                         __m512 most, __m512i (&rounded)[kRows][kUnits]) {
  const std::size_t num_taps = kTaps == 0 ? strip.num_taps : kTaps;
  const std::byte* stream = columns + quarter * strip.stream_size;
  const std::int8_t* weights = strip.weights + quarter * num_taps * strip.weight_rows * kVector;
  const __m512i add = _mm512_load_si512(strip.add + quarter * 16);
  __m512i sum[kRows][kUnits];
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) sum[r][u] = add;
  }
#pragma GCC unroll 3
  for (std::size_t tap = 0; tap < num_taps; ++tap) {
    const std::byte* x = stream + strip.tap_offsets[tap];
    __m512i weight[kRows];
#pragma GCC unroll 2
    for (std::size_t r = 0; r < kRows; ++r) {
      weight[r] = _mm512_load_si512(weights + (tap * strip.weight_rows + r) * kVector);
    }
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      const __m512i inputs = _mm512_loadu_si512(x + u * kVector);
#pragma GCC unroll 2
      for (std::size_t r = 0; r < kRows; ++r) {
        sum[r][u] = _mm512_dpbusd_epi32(sum[r][u], inputs, weight[r]);
      }
    }
  }
  const __m512 scale = _mm512_load_ps(strip.scale + quarter * 16);
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      const __m512 real = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][u]), scale);
      // Half to even: the mode that every thread begins with.
      rounded[r][u] = _mm512_cvtps_epi32(_mm512_min_ps(real, most));
    }
  }
}

// Two quarters' results in 16 bits.
template <std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
inline void RoundHalf(const DepthwiseStrip& strip, std::size_t half, const std::byte* columns,
                      __m512 most, __m512i (&narrow)[kRows][kUnits]) {
  const __m512i zero = _mm512_set1_epi16(static_cast<std::int16_t>(strip.zero_point));
  __m512i low[kRows][kUnits];
  __m512i high[kRows][kUnits];
  RoundQuarter<kRows, kUnits, kTaps>(strip, 2 * half, columns, most, low);
  RoundQuarter<kRows, kUnits, kTaps>(strip, 2 * half + 1, columns, most, high);
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      narrow[r][u] = _mm512_adds_epi16(_mm512_packs_epi32(low[r][u], high[r][u]), zero);
    }
  }
}

// Stores the first `pixels` of a vector of 64 / `columns` channels each.
inline void StorePixels(const DepthwiseStrip& strip, __m512i bytes, std::size_t pixels,
                        std::int8_t* out) {
  const __mmask64 mask = LowestBytes(strip.num_channels);
  switch (strip.vector_columns) {
    case 1:
      _mm512_mask_storeu_epi8(out, mask, bytes);
      return;
    case 2: {
      const auto half = static_cast<__mmask32>(mask);
      _mm256_mask_storeu_epi8(out, half, _mm512_castsi512_si256(bytes));
      if (pixels > 1) {
        _mm256_mask_storeu_epi8(out + strip.out_step, half, _mm512_extracti64x4_epi64(bytes, 1));
      }
      return;
    }
    default: {
      const auto quarter = static_cast<__mmask16>(mask);
      _mm_mask_storeu_epi8(out, quarter, _mm512_castsi512_si128(bytes));
      out += strip.out_step;
      if (pixels > 1) _mm_mask_storeu_epi8(out, quarter, _mm512_extracti32x4_epi32(bytes, 1));
      out += strip.out_step;
      if (pixels > 2) _mm_mask_storeu_epi8(out, quarter, _mm512_extracti32x4_epi32(bytes, 2));
      out += strip.out_step;
      if (pixels > 3) _mm_mask_storeu_epi8(out, quarter, _mm512_extracti32x4_epi32(bytes, 3));
    }
  }
}

// kUnits vectors of pixels of kRows rows, from vector `unit` of a row on.
template <std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
void ComputeUnits(const DepthwiseStrip& strip, std::size_t unit) {
  const __m512 most = _mm512_set1_ps(static_cast<float>(strip.hi - strip.zero_point));
  const __m512i lo = _mm512_set1_epi8(static_cast<char>(strip.lo));
  const std::byte* columns = strip.scratch + unit * kVector;
  __m512i low[kRows][kUnits];
  __m512i high[kRows][kUnits];
  RoundHalf<kRows, kUnits, kTaps>(strip, 0, columns, most, low);
  RoundHalf<kRows, kUnits, kTaps>(strip, 1, columns, most, high);
  const std::size_t pixel = unit * strip.vector_columns;
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int8_t* out = strip.out + r * strip.out_row_step + pixel * strip.out_step;
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      const __m512i bytes = _mm512_max_epi8(_mm512_packs_epi16(low[r][u], high[r][u]), lo);
      const std::size_t skipped = u * strip.vector_columns;
      StorePixels(strip, bytes, strip.num_pixels - pixel - skipped, out + skipped * strip.out_step);
    }
  }
}

template <std::size_t kRows, std::size_t kTaps>
void ComputeRows(const DepthwiseStrip& strip) {
  constexpr std::size_t kMostUnits = 8 / kRows;
  const std::size_t units = (strip.num_pixels + strip.vector_columns - 1) / strip.vector_columns;
  std::size_t unit = 0;
  for (; unit + kMostUnits <= units; unit += kMostUnits) {
    ComputeUnits<kRows, kMostUnits, kTaps>(strip, unit);
  }
  if (kMostUnits > 4 && unit + 4 <= units) {
    ComputeUnits<kRows, 4, kTaps>(strip, unit);
    unit += 4;
  }
  if (unit + 2 <= units) {
    ComputeUnits<kRows, 2, kTaps>(strip, unit);
    unit += 2;
  }
  if (unit < units) ComputeUnits<kRows, 1, kTaps>(strip, unit);
}

template <std::size_t kTaps>
void Compute(const DepthwiseStrip& strip) {
  if (strip.num_rows == 2) {
    ComputeRows<2, kTaps>(strip);
  } else {
    ComputeRows<1, kTaps>(strip);
  }
}

}  // namespace

void DepthwiseStripS8(const DepthwiseStrip& strip) {
  switch (strip.vector_columns) {
    case 1:
      Interleave<1>(strip);
      break;
    case 2:
      Interleave<2>(strip);
      break;
    default:
      Interleave<4>(strip);
  }
  if (strip.num_taps == 3) {
    Compute<3>(strip);
  } else {
    Compute<0>(strip);
  }
}

}  // namespace octet::kernels::avx512vnni
