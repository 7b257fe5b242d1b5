// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/avx512vnni/panels.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/vectorized/blocks_of_rows.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kColumns = 32;

// vpdpbusd multiplies unsigned by signed bytes: inputs are shifted by 128.
void PackLhs(const std::int8_t* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
             std::size_t k_padded, std::byte* out) {
  auto* target = reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int8_t* source = lhs + r * lhs_stride;
    for (std::size_t p = 0; p < k; ++p) target[p] = static_cast<std::uint8_t>(source[p] ^ 0x80);
    for (std::size_t p = k; p < k_padded; ++p) target[p] = 0;
    target += k_padded;
  }
}

// --- integers: a step takes 32 bits of each row, and the panel's weights for them.

// Four inputs of 8 bits.
struct S8Step {
  static constexpr std::size_t kInputs = 4;
  // Of 16 columns, as those below.
  static __m512i LoadWeights(const std::int8_t* weights) { return _mm512_load_si512(weights); }
  static __m512i Add(__m512i sum, __m512i inputs, __m512i weights) {
    return _mm512_dpbusd_epi32(sum, inputs, weights);
  }
};

// Two inputs of 16 bits: vpdpwssd adds two products of 16 bits to 32.
struct S16Step {
  static constexpr std::size_t kInputs = 2;
  static __m512i LoadWeights(const std::int8_t* weights) {
    return _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(weights)));
  }
  static __m512i Add(__m512i sum, __m512i inputs, __m512i weights) {
    return _mm512_dpwssd_epi32(sum, inputs, weights);
  }
};

// The inputs of kRows rows from number p on, times the panel's weights for them.
template <typename Step, std::size_t kRows>
inline void AddStep(const std::byte* const (&row)[kRows], std::size_t p, const std::int8_t* panel,
                    __m512i (&sum)[kRows][2]) {
  const std::int8_t* weights = panel + p * kColumns;
  const __m512i left = Step::LoadWeights(weights);
  const __m512i right = Step::LoadWeights(weights + Step::kInputs * kColumns / 2);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int32_t bits = 0;
    __builtin_memcpy(&bits, row[r] + p * (sizeof(bits) / Step::kInputs), sizeof(bits));
    const __m512i x = _mm512_set1_epi32(bits);
    sum[r][0] = Step::Add(sum[r][0], x, left);
    sum[r][1] = Step::Add(sum[r][1], x, right);
  }
}

// Adds the sums of kUnroll chains up.
template <std::size_t kUnroll, std::size_t kRows>
inline void StoreSums(const __m512i (&sum)[kUnroll][kRows][2], std::int32_t* tile) {
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    __m512i left = sum[0][r][0];
    __m512i right = sum[0][r][1];
#pragma GCC unroll 8
    for (std::size_t u = 1; u < kUnroll; ++u) {
      left = _mm512_add_epi32(left, sum[u][r][0]);
      right = _mm512_add_epi32(right, sum[u][r][1]);
    }
    _mm512_storeu_si512(tile + r * kColumns, left);
    _mm512_storeu_si512(tile + r * kColumns + 16, right);
  }
}

// kRows x 32 sums stay in registers, kUnroll times over where the rows alone are too few to hide
// the latency of a step.
template <typename Step, std::size_t kRows>
void MultiplyRows(const PanelInputs& in, std::size_t first_row, const std::int8_t* panel,
                  std::int32_t* tile) {
  constexpr std::size_t kUnroll = kRows == 1 ? 4 : kRows <= 3 ? 2 : 1;
  constexpr std::size_t kInputs = kUnroll * Step::kInputs;
  __m512i sum[kUnroll][kRows][2];
#pragma GCC unroll 8
  for (std::size_t u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      sum[u][r][0] = sum[u][r][1] = _mm512_setzero_si512();
    }
  }
  for (std::size_t s = 0; s < in.num_segments; ++s) {
    const std::byte* row[kRows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      row[r] = in.lhs + in.row_offset[first_row + r] + in.segment_offset[s];
    }
    std::size_t p = 0;
    for (; p + kInputs <= in.segment_size; p += kInputs) {
#pragma GCC unroll 8
      for (std::size_t u = 0; u < kUnroll; ++u) {
        AddStep<Step>(row, p + u * Step::kInputs, panel, sum[u]);
      }
    }
    if constexpr (kUnroll > 1) {
      for (; p < in.segment_size; p += Step::kInputs) AddStep<Step>(row, p, panel, sum[0]);
    }
    panel += in.segment_size * kColumns;
  }
  StoreSums(sum, tile + first_row * kColumns);
}

template <typename Step>
void Multiply(const PanelInputs& in, const std::int8_t* panel, std::int32_t* tile) {
  ForBlocksOfRows<8>(in.rows, [&]<std::size_t kRows>(std::size_t row) {
    MultiplyRows<Step, kRows>(in, row, panel, tile);
  });
}

// --- float: kRows x kPanels * 32 sums in registers, each adding in the order of k.

template <std::size_t kRows, std::size_t kPanels>
void MultiplyF32Rows(const float* lhs, std::size_t lhs_stride, std::size_t k, const float* panels,
                     std::size_t panel_stride, float* tile, std::size_t tile_stride) {
  constexpr std::size_t kVectors = 2 * kPanels;
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = _mm512_loadu_ps(tile + v / 2 * tile_stride + r * kColumns + v % 2 * 16);
    }
  }
  for (std::size_t p = 0; p < k; ++p) {
    __m512 weight[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      weight[v] = _mm512_loadu_ps(panels + v / 2 * panel_stride + p * kColumns + v % 2 * 16);
    }
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512 x = _mm512_set1_ps(lhs[r * lhs_stride + p]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = _mm512_fmadd_ps(x, weight[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(tile + v / 2 * tile_stride + r * kColumns + v % 2 * 16, sum[r][v]);
    }
  }
}

void MultiplyF32OnePanel(const float* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
                         const float* panel, float* tile) {
  for (; rows >= 12; rows -= 12, lhs += 12 * lhs_stride, tile += 12 * kColumns) {
    MultiplyF32Rows<12, 1>(lhs, lhs_stride, k, panel, 0, tile, 0);
  }
  for (; rows >= 4; rows -= 4, lhs += 4 * lhs_stride, tile += 4 * kColumns) {
    MultiplyF32Rows<4, 1>(lhs, lhs_stride, k, panel, 0, tile, 0);
  }
  switch (rows) {
    case 3:
      return MultiplyF32Rows<3, 1>(lhs, lhs_stride, k, panel, 0, tile, 0);
    case 2:
      return MultiplyF32Rows<2, 1>(lhs, lhs_stride, k, panel, 0, tile, 0);
    case 1:
      return MultiplyF32Rows<1, 1>(lhs, lhs_stride, k, panel, 0, tile, 0);
    default:
      return;
  }
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

constexpr S8Panels kS8Panels = {.name = "avx512vnni vpdpbusd 8x32",
                                .columns = kColumns,
                                .interleave = 4,
                                .k_multiple = 4,
                                .row_multiple = 1,
                                .lhs_element_size = 1,
                                .lhs_offset = 128,
                                .takes_segments = true,
                                .pack_lhs = PackLhs,
                                .multiply = Multiply<S8Step>};

constexpr S16Panels kS16Panels = {
    .name = "avx512vnni vpdpwssd 8x32", .columns = kColumns, .multiply = Multiply<S16Step>};

constexpr F32Panels kF32Panels = {
    .name = "avx512vnni fma 12x32", .columns = kColumns, .multiply = MultiplyF32};

}  // namespace octet::kernels::avx512vnni
