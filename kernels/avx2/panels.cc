// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "kernels/avx2/panels.h"

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "kernels/vectorized/blocks_of_rows.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kColumns = 16;

// --- int8: inputs widened to 16 bits; vpmaddwd adds two products of 16 bits in
// 32, exactly.

void PackLhs(const std::int8_t* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
             std::size_t k_padded, std::byte* out) {
  auto* target = reinterpret_cast<std::int16_t*>(out);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int8_t* source = lhs + r * lhs_stride;
    for (std::size_t p = 0; p < k; ++p) target[p] = source[p];
    for (std::size_t p = k; p < k_padded; ++p) target[p] = 0;
    target += k_padded;
  }
}

// Two neighbouring inputs, in every lane.
inline __m256i BroadcastPair(const std::int16_t* pair) {
  std::int32_t bits = 0;
  __builtin_memcpy(&bits, pair, sizeof(bits));
  return _mm256_set1_epi32(bits);
}

// kRows x 16 sums stay in registers.
template <std::size_t kRows>
void MultiplyS8Rows(const PanelInputs& in, std::size_t first_row, const std::int8_t* panel,
                    std::int32_t* tile) {
  __m256i sum[kRows][2];
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (std::size_t s = 0; s < in.num_segments; ++s) {
    const std::int16_t* row[kRows];
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      row[r] = reinterpret_cast<const std::int16_t*>(in.lhs + in.row_offset[first_row + r] +
                                                     in.segment_offset[s]);
    }
    for (std::size_t p = 0; p < in.segment_size; p += 2, panel += 2 * kColumns) {
      const auto* weights = reinterpret_cast<const __m128i*>(panel);
      const __m256i left = _mm256_cvtepi8_epi16(_mm_load_si128(weights));
      const __m256i right = _mm256_cvtepi8_epi16(_mm_load_si128(weights + 1));
#pragma GCC unroll 6
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256i x = BroadcastPair(row[r] + p);
        sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(x, left));
        sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(x, right));
      }
    }
  }
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
    auto* target = reinterpret_cast<__m256i*>(tile + (first_row + r) * kColumns);
    _mm256_storeu_si256(target, sum[r][0]);
    _mm256_storeu_si256(target + 1, sum[r][1]);
  }
}

void MultiplyS8(const PanelInputs& in, const std::int8_t* panel, std::int32_t* tile) {
  ForBlocksOfRows<6>(in.rows, [&]<std::size_t kRows>(std::size_t row) {
    MultiplyS8Rows<kRows>(in, row, panel, tile);
  });
}

// --- float: kRows x kPanels * 16 sums in registers, each adding in the order
// of k.

template <std::size_t kRows, std::size_t kPanels>
void MultiplyF32Rows(const float* lhs, std::size_t lhs_stride, std::size_t k, const float* panels,
                     std::size_t panel_stride, float* tile, std::size_t tile_stride) {
  constexpr std::size_t kVectors = 2 * kPanels;
  __m256 sum[kRows][kVectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = _mm256_loadu_ps(tile + v / 2 * tile_stride + r * kColumns + v % 2 * 8);
    }
  }
  for (std::size_t p = 0; p < k; ++p) {
    __m256 weight[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      weight[v] = _mm256_loadu_ps(panels + v / 2 * panel_stride + p * kColumns + v % 2 * 8);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m256 x = _mm256_broadcast_ss(lhs + r * lhs_stride + p);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = _mm256_fmadd_ps(x, weight[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm256_storeu_ps(tile + v / 2 * tile_stride + r * kColumns + v % 2 * 8, sum[r][v]);
    }
  }
}

void MultiplyF32OnePanel(const float* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
                         const float* panel, float* tile) {
  ForBlocksOfRows<6>(rows, [&]<std::size_t kRows>(std::size_t row) {
    MultiplyF32Rows<kRows, 1>(lhs + row * lhs_stride, lhs_stride, k, panel, 0,
                              tile + row * kColumns, 0);
  });
}

void MultiplyF32(const float* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
                 const float* panels, std::size_t panel_stride, std::size_t num_panels,
                 float* tile) {
  if (rows == 1 && num_panels == 4) {
    MultiplyF32Rows<1, 4>(lhs, lhs_stride, k, panels, panel_stride, tile, kColumns);
    return;
  }
  for (std::size_t i = 0; i < num_panels; ++i) {
    MultiplyF32OnePanel(lhs, lhs_stride, rows, k, panels + i * panel_stride,
                        tile + i * rows * kColumns);
  }
}

}  // namespace

constexpr S8Panels kS8Panels = {.name = "avx2 vpmaddwd 6x16",
                                .columns = kColumns,
                                .interleave = 2,
                                .k_multiple = 2,
                                .row_multiple = 1,
                                .lhs_element_size = 2,
                                .lhs_offset = 0,
                                .takes_segments = true,
                                .pack_lhs = PackLhs,
                                .multiply = MultiplyS8};

// The inputs of int8 panels are of 16 bits already.
constexpr S16Panels kS16Panels = {
    .name = "avx2 vpmaddwd 6x16", .columns = kColumns, .multiply = MultiplyS8};

constexpr F32Panels kF32Panels = {
    .name = "avx2 fma 6x16", .columns = kColumns, .multiply = MultiplyF32};

}  // namespace octet::kernels::avx2
