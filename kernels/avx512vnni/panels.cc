// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/avx512vnni/panels.h"

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/integer_sums.h"
#include "kernels/avx512vnni/intrinsics.h"

namespace octet::kernels::avx512vnni {
namespace {

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

constexpr S16Panels kS16Panels = {
    .name = "avx512vnni vpdpwssd 8x32", .columns = kColumns, .multiply = Multiply<S16Step>};

constexpr F32Panels kF32Panels = {
    .name = "avx512vnni fma 12x32", .columns = kColumns, .multiply = MultiplyF32};

}  // namespace octet::kernels::avx512vnni
