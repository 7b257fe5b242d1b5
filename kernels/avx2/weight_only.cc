// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "kernels/avx2/weight_only.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kBlock = 8;  // columns that are expanded at a time

// What kBlock columns from `first` on have in common.
struct Columns {
  Columns(const ExpandRun& run, std::size_t first)
      : zero(_mm256_loadu_ps(run.zero + first)), scale(_mm256_loadu_ps(run.scale + first)) {}

  // Nibbles are small enough to be signed bytes.
  void Expand(__m128i bytes, float* out) const {
    const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_sub_ps(value, zero), scale));
  }

  __m256 zero;
  __m256 scale;
};

__m128i LoadEight(const void* bytes) { return _mm_loadl_epi64(static_cast<const __m128i*>(bytes)); }

// --- few rows: weights meet their inputs in registers.

// Where sixteen weights of each input lie: eight of the left half of a panel's columns, and the
// eight that far into the right half.
struct Place {
  const std::uint8_t* weights;  // of the first input
  const float* zero[2];
  const float* scale[2];
  float* tile[2];  // of the first row
};

enum class Zero { kOne, kByColumn };
enum class Bits { kFour, kEight };

// The weights of one input, as integers in 32 bits.
template <Bits kBits, Zero kZero>
inline void LoadWeights(const std::uint8_t* weights, std::size_t half, __m256i one_zero,
                        __m256i (&out)[2]) {
  if constexpr (kBits == Bits::kEight) {
    out[0] = _mm256_cvtepi8_epi32(LoadEight(weights));
    out[1] = _mm256_cvtepi8_epi32(LoadEight(weights + half));
    return;
  }
  const __m256i both = _mm256_cvtepu8_epi32(LoadEight(weights));
  out[0] = _mm256_and_si256(both, _mm256_set1_epi32(15));
  out[1] = _mm256_srli_epi32(both, 4);
  if constexpr (kZero == Zero::kOne) {
    out[0] = _mm256_sub_epi32(out[0], one_zero);
    out[1] = _mm256_sub_epi32(out[1], one_zero);
  }
}

template <Bits kBits, Zero kZero, bool kScaled, std::size_t kRows, std::size_t kPlaces>
void MultiplyPlaces(const FewRowsRun& run, const Place* places) {
  const std::size_t half = run.columns / 2;
  const std::size_t step = kBits == Bits::kFour ? half : run.columns;
  const __m256i one_zero = _mm256_set1_epi32(run.one_zero);
  __m256 sum[kRows][kPlaces][2];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPlaces; ++i) {
      sum[r][i][0] = _mm256_loadu_ps(places[i].tile[0] + r * run.columns);
      sum[r][i][1] = _mm256_loadu_ps(places[i].tile[1] + r * run.columns);
    }
  }
  for (std::size_t p = 0; p < run.k; ++p) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPlaces; ++i) {
      __m256i integers[2];
      LoadWeights<kBits, kZero>(places[i].weights + p * step, half, one_zero, integers);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < 2; ++v) {
        __m256 weight = _mm256_cvtepi32_ps(integers[v]);
        if constexpr (kZero == Zero::kByColumn) {
          weight = _mm256_sub_ps(weight, _mm256_loadu_ps(places[i].zero[v]));
        }
        if constexpr (kScaled) {
          weight = _mm256_mul_ps(weight, _mm256_loadu_ps(places[i].scale[v]));
        }
#pragma GCC unroll 4
        for (std::size_t r = 0; r < kRows; ++r) {
          const __m256 x = _mm256_broadcast_ss(run.lhs + r * run.lhs_stride + p);
          sum[r][i][v] = _mm256_fmadd_ps(x, weight, sum[r][i][v]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPlaces; ++i) {
      _mm256_storeu_ps(places[i].tile[0] + r * run.columns, sum[r][i][0]);
      _mm256_storeu_ps(places[i].tile[1] + r * run.columns, sum[r][i][1]);
    }
  }
}

// Few rows take several places at a time, so that there are enough independent sums.
template <Bits kBits, Zero kZero, bool kScaled>
void MultiplyRows(const FewRowsRun& run, const Place* places, std::size_t num_places) {
  std::size_t i = 0;
  switch (run.rows) {
    case 1:
      for (; i + 4 <= num_places; i += 4) {
        MultiplyPlaces<kBits, kZero, kScaled, 1, 4>(run, places + i);
      }
      for (; i < num_places; ++i) MultiplyPlaces<kBits, kZero, kScaled, 1, 1>(run, places + i);
      return;
    case 2:
      for (; i + 2 <= num_places; i += 2) {
        MultiplyPlaces<kBits, kZero, kScaled, 2, 2>(run, places + i);
      }
      for (; i < num_places; ++i) MultiplyPlaces<kBits, kZero, kScaled, 2, 1>(run, places + i);
      return;
    case 3:
      for (; i < num_places; ++i) MultiplyPlaces<kBits, kZero, kScaled, 3, 1>(run, places + i);
      return;
    case 4:
      for (; i < num_places; ++i) MultiplyPlaces<kBits, kZero, kScaled, 4, 1>(run, places + i);
      return;
    default:
      return;
  }
}

template <Bits kBits>
void MultiplyFewRows(const FewRowsRun& run, const std::uint8_t* panels) {
  constexpr std::size_t kMostPlaces = kTileRows * 2;  // panels of at most 32 columns
  Place places[kMostPlaces];
  std::size_t num_places = 0;
  const std::size_t half = run.columns / 2;
  for (std::size_t panel = 0; panel < run.num_panels; ++panel) {
    for (std::size_t left = 0; left < half; left += kBlock) {
      Place& place = places[num_places++];
      place.weights = panels + panel * run.panel_stride + left;
      for (std::size_t v = 0; v < 2; ++v) {
        const std::size_t column = left + v * half;
        const std::size_t in_table = panel * run.table_stride + column;
        place.zero[v] = run.zero == nullptr ? nullptr : run.zero + in_table;
        place.scale[v] = run.scale == nullptr ? nullptr : run.scale + in_table;
        place.tile[v] = run.tile + panel * run.rows * run.columns + column;
      }
    }
  }
  if (run.zero != nullptr && run.scale != nullptr) {
    MultiplyRows<kBits, Zero::kByColumn, true>(run, places, num_places);
  } else if (run.zero != nullptr) {
    MultiplyRows<kBits, Zero::kByColumn, false>(run, places, num_places);
  } else if (run.scale != nullptr) {
    MultiplyRows<kBits, Zero::kOne, true>(run, places, num_places);
  } else {
    MultiplyRows<kBits, Zero::kOne, false>(run, places, num_places);
  }
}

}  // namespace

void MultiplyFewRowsS8(const FewRowsRun& run, const std::int8_t* panels) {
  MultiplyFewRows<Bits::kEight>(run, reinterpret_cast<const std::uint8_t*>(panels));
}

void MultiplyFewRowsS4(const FewRowsRun& run, const std::uint8_t* panels) {
  MultiplyFewRows<Bits::kFour>(run, panels);
}

void ExpandS8(const ExpandRun& run, const std::int8_t* values) {
  for (std::size_t first = 0; first < run.columns; first += kBlock) {
    const Columns columns(run, first);
    for (std::size_t r = 0; r < run.rows; ++r) {
      const std::size_t i = r * run.columns + first;
      columns.Expand(LoadEight(values + i), run.out + i);
    }
  }
}

void ExpandS4(const ExpandRun& run, const std::uint8_t* nibbles) {
  const __m128i low = _mm_set1_epi8(15);
  const std::size_t half = run.columns / 2;
  for (std::size_t first = 0; first < half; first += kBlock) {
    const Columns left(run, first);
    const Columns right(run, half + first);
    for (std::size_t r = 0; r < run.rows; ++r) {
      const __m128i both = LoadEight(nibbles + r * half + first);
      float* out = run.out + r * run.columns + first;
      left.Expand(_mm_and_si128(both, low), out);
      right.Expand(_mm_and_si128(_mm_srli_epi16(both, 4), low), out + half);
    }
  }
}

}  // namespace octet::kernels::avx2
