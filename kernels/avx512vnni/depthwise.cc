// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/avx512vnni/depthwise.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/fixed_point.h"
#include "kernels/avx512vnni/intrinsics.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kVector = 64;  // bytes

// Of the lowest `size` bytes.
inline __mmask64 LowestBytes(std::size_t size) { return ~__mmask64{0} >> (kVector - size); }

// --- columns: four rows of the image, interleaved byte by byte.

// Where four rows of a column lie, and which of their bytes are inside the image.
struct Rows {
  const std::int8_t* x[4];
  __mmask64 inside[4];
  __m512i padding;
};

// How the columns of a vector are loaded: one by one, as far as they are inside; one by one, and
// all bytes are inside; at once.
enum class Loads { kMasked, kWhole, kDense };

// Row r of kColumns columns, the last of `count` repeated.
template <std::size_t kColumns, Loads kLoads>
inline __m512i LoadColumns(const Rows& rows, std::size_t r, std::size_t step, std::size_t count) {
  constexpr bool kIsMasked = kLoads == Loads::kMasked;
  const std::int8_t* x = rows.x[r];
  const auto column = [&](std::size_t i) { return x + (i < count ? i : count - 1) * step; };
  if constexpr (kLoads == Loads::kDense || (kColumns == 1 && !kIsMasked)) {
    return _mm512_loadu_si512(x);
  } else if constexpr (kColumns == 1) {
    return _mm512_mask_loadu_epi8(rows.padding, rows.inside[r], x);
  } else if constexpr (kColumns == 2) {
    const auto load = [&](const std::int8_t* half) {
      if constexpr (!kIsMasked) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(half));
      return _mm256_mask_loadu_epi8(_mm512_castsi512_si256(rows.padding),
                                    static_cast<__mmask32>(rows.inside[r]), half);
    };
    return _mm512_inserti64x4(_mm512_castsi256_si512(load(x)), load(column(1)), 1);
  } else {
    const auto load = [&](const std::int8_t* quarter) {
      if constexpr (!kIsMasked) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(quarter));
      return _mm_mask_loadu_epi8(_mm512_castsi512_si128(rows.padding),
                                 static_cast<__mmask16>(rows.inside[r]), quarter);
    };
    __m512i all = _mm512_castsi128_si512(load(x));
    all = _mm512_inserti32x4(all, load(column(1)), 1);
    all = _mm512_inserti32x4(all, load(column(2)), 2);
    return _mm512_inserti32x4(all, load(column(3)), 3);
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
  const __m512i low_ab = _mm512_unpacklo_epi8(a, b);
  const __m512i low_cd = _mm512_unpacklo_epi8(c, d);
  const __m512i high_ab = _mm512_unpackhi_epi8(a, b);
  const __m512i high_cd = _mm512_unpackhi_epi8(c, d);
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
    const auto index =
        static_cast<std::size_t>(distance <= 0 ? 0 : (distance + stride - 1) / stride);
    return index < strip.num_columns ? index : strip.num_columns;
  };
  return {index_of(0), index_of(width)};
}

// Columns from x on that lie inside the image, as far as they fill vectors. Returns their end. Of
// four rows, the last ones from kRows on are equal.
template <std::size_t kColumns, Loads kLoads, std::size_t kRows = 4>
std::size_t InterleaveVectors(const DepthwiseStrip& strip, Rows& rows, Range inside,
                              std::byte* target) {
  const std::size_t step = strip.stride * strip.column_step;
  const std::size_t stream_size = strip.stream_size;
  const std::size_t vectors = (inside.end - inside.begin) / kColumns;
  std::byte* at = target + inside.begin * (kVector / kColumns);
  for (const std::byte* end = at + vectors * kVector; at != end; at += kVector) {
    __m512i x[4];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      x[r] = Shift(LoadColumns<kColumns, kLoads>(rows, r, step, kColumns));
      rows.x[r] += kColumns * step;
    }
    if constexpr (kRows < 4) {
      rows.x[3] = rows.x[2];
      x[3] = x[2];
    }
    StoreInterleaved(x[0], x[1], x[2], x[3], stream_size, at);
  }
  return inside.begin + vectors * kColumns;
}

// Columns of a phase that lie inside the image.
template <std::size_t kColumns>
void InterleaveInside(const DepthwiseStrip& strip, std::size_t group, std::size_t phase,
                      Range inside, std::byte* target) {
  const auto column = static_cast<std::size_t>(
      strip.first_column + static_cast<std::ptrdiff_t>(inside.begin * strip.stride + phase));
  const __mmask64 channels = LowestBytes(strip.num_channels);
  bool is_whole = strip.num_channels == kVector / kColumns;
  Rows rows;
  rows.padding = _mm512_set1_epi8(strip.padding);
  for (std::size_t r = 0; r < 4; ++r) {
    const std::int8_t* row = strip.rows[4 * group + r];
    rows.inside[r] = row == nullptr ? 0 : channels;
    is_whole = is_whole && row != nullptr;
    // A mask of nothing reads nothing.
    rows.x[r] =
        (row == nullptr ? strip.image : row) + strip.first_channel + column * strip.column_step;
  }
  const std::size_t step = strip.stride * strip.column_step;
  std::size_t end = 0;
  if (!is_whole) {
    end = InterleaveVectors<kColumns, Loads::kMasked>(strip, rows, inside, target);
  } else if (kColumns > 1 && step == strip.num_channels) {
    end = InterleaveVectors<kColumns, Loads::kDense>(strip, rows, inside, target);
  } else if (rows.x[3] == rows.x[2]) {
    end = InterleaveVectors<kColumns, Loads::kWhole, 3>(strip, rows, inside, target);
  } else {
    end = InterleaveVectors<kColumns, Loads::kWhole>(strip, rows, inside, target);
  }
  if (end == inside.end) return;
  __m512i x[4];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < 4; ++r) {
    x[r] = Shift(LoadColumns<kColumns, Loads::kMasked>(rows, r, step, inside.end - end));
  }
  StoreInterleaved(x[0], x[1], x[2], x[3], strip.stream_size, target + end * (kVector / kColumns));
}

// One phase of one group of four rows.
template <std::size_t kColumns>
void InterleaveColumns(const DepthwiseStrip& strip, std::size_t group, std::size_t phase,
                       std::byte* target) {
  const Range inside = InsideColumns(strip, phase);
  StorePadding<kColumns>(strip, 0, inside.begin, target);
  if (inside.begin < inside.end) InterleaveInside<kColumns>(strip, group, phase, inside, target);
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

// Adds what a tap sees: kUnits vectors of inputs times kRows vectors of weights.
template <std::size_t kRows, std::size_t kUnits>
inline void AddTap(const std::byte* x, const std::int8_t* weights, __m512i (&sum)[kRows][kUnits]) {
  __m512i weight[kRows];
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) weight[r] = _mm512_load_si512(weights + r * kVector);
#pragma GCC unroll 8
  for (std::size_t u = 0; u < kUnits; ++u) {
    const __m512i inputs = _mm512_loadu_si512(x + u * kVector);
#pragma GCC unroll 2
    for (std::size_t r = 0; r < kRows; ++r) {
      sum[r][u] = _mm512_dpbusd_epi32(sum[r][u], inputs, weight[r]);
    }
  }
}

// The roundings of sums of 16 channels, the strip's from `first` on.
class FloatRounding {
 public:
  FloatRounding(const DepthwiseStrip& strip, std::size_t first)
      : scale_(_mm512_load_ps(strip.scale + first)) {}
  // Half to even: the mode that every thread begins with.
  [[gnu::always_inline]] __m512i Round(__m512i sum) const {
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale_));
  }

 private:
  const __m512 scale_;
};

template <typename Lanes>
class FixedRounding {
 public:
  FixedRounding(const DepthwiseStrip& strip, std::size_t first) : scale_(strip.fixed, first) {}
  [[gnu::always_inline]] __m512i Round(__m512i sum) const { return scale_.Multiply(sum); }

 private:
  const Lanes scale_;
};

// kRows x kUnits vectors of results without their zero point, which int32 holds. kTaps is 0 where
// it varies.
template <typename Rounding, std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
inline void RoundQuarter(const DepthwiseStrip& strip, std::size_t quarter, const std::byte* columns,
                         __m512i (&rounded)[kRows][kUnits]) {
  const std::byte* stream = columns + quarter * strip.stream_size;
  const std::size_t tap_size = strip.weight_rows * kVector;
  const std::int8_t* weights = strip.weights + quarter * strip.num_taps * tap_size;
  const __m512i add = _mm512_load_si512(strip.add + quarter * 16);
  __m512i sum[kRows][kUnits];
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) sum[r][u] = add;
  }
  if constexpr (kTaps == 0) {
    for (std::size_t tap = 0; tap < strip.num_taps; ++tap) {
      AddTap(stream + strip.tap_offsets[tap], weights + tap * tap_size, sum);
    }
  } else {
#pragma GCC unroll 3
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
      AddTap(stream + strip.tap_offsets[tap], weights + tap * tap_size, sum);
    }
  }
  const Rounding rounding(strip, quarter * 16);
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) rounded[r][u] = rounding.Round(sum[r][u]);
  }
}

// Two quarters' results in 16 bits.
template <typename Rounding, std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
inline void RoundHalf(const DepthwiseStrip& strip, std::size_t half, const std::byte* columns,
                      __m512i (&narrow)[kRows][kUnits]) {
  const __m512i zero = _mm512_set1_epi16(static_cast<std::int16_t>(strip.zero_point));
  __m512i low[kRows][kUnits];
  __m512i high[kRows][kUnits];
  RoundQuarter<Rounding, kRows, kUnits, kTaps>(strip, 2 * half, columns, low);
  RoundQuarter<Rounding, kRows, kUnits, kTaps>(strip, 2 * half + 1, columns, high);
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
template <typename Rounding, std::size_t kRows, std::size_t kUnits, std::size_t kTaps>
void ComputeUnits(const DepthwiseStrip& strip, std::size_t unit) {
  const __m512i lo = _mm512_set1_epi8(static_cast<char>(strip.lo));
  const __m512i hi = _mm512_set1_epi8(static_cast<char>(strip.hi));
  const std::byte* columns = strip.scratch + unit * kVector;
  __m512i low[kRows][kUnits];
  __m512i high[kRows][kUnits];
  RoundHalf<Rounding, kRows, kUnits, kTaps>(strip, 0, columns, low);
  RoundHalf<Rounding, kRows, kUnits, kTaps>(strip, 1, columns, high);
  const std::size_t pixel = unit * strip.vector_columns;
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int8_t* out = strip.out + r * strip.out_row_step + pixel * strip.out_step;
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      const __m512i narrow = _mm512_packs_epi16(low[r][u], high[r][u]);
      const __m512i bytes = _mm512_min_epi8(_mm512_max_epi8(narrow, lo), hi);
      const std::size_t skipped = u * strip.vector_columns;
      StorePixels(strip, bytes, strip.num_pixels - pixel - skipped, out + skipped * strip.out_step);
    }
  }
}

template <typename Rounding, std::size_t kRows, std::size_t kTaps>
void ComputeRows(const DepthwiseStrip& strip) {
  constexpr std::size_t kMostUnits = 8 / kRows;
  const std::size_t units = (strip.num_pixels + strip.vector_columns - 1) / strip.vector_columns;
  std::size_t unit = 0;
  for (; unit + kMostUnits <= units; unit += kMostUnits) {
    ComputeUnits<Rounding, kRows, kMostUnits, kTaps>(strip, unit);
  }
  if (kMostUnits > 4 && unit + 4 <= units) {
    ComputeUnits<Rounding, kRows, 4, kTaps>(strip, unit);
    unit += 4;
  }
  if (unit + 2 <= units) {
    ComputeUnits<Rounding, kRows, 2, kTaps>(strip, unit);
    unit += 2;
  }
  if (unit < units) ComputeUnits<Rounding, kRows, 1, kTaps>(strip, unit);
}

template <typename Rounding, std::size_t kTaps>
void Compute(const DepthwiseStrip& strip) {
  if (strip.num_rows == 2) {
    ComputeRows<Rounding, 2, kTaps>(strip);
  } else {
    ComputeRows<Rounding, 1, kTaps>(strip);
  }
}

template <typename Rounding>
void Compute(const DepthwiseStrip& strip) {
  if (strip.num_taps == 3) {
    Compute<Rounding, 3>(strip);
  } else {
    Compute<Rounding, 0>(strip);
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
  if (strip.scale != nullptr) {
    Compute<FloatRounding>(strip);
  } else if (strip.fixed.right_shift == nullptr) {
    Compute<FixedRounding<FixedPointLanes>>(strip);
  } else {
    Compute<FixedRounding<TwiceRoundedLanes>>(strip);
  }
}

}  // namespace octet::kernels::avx512vnni
