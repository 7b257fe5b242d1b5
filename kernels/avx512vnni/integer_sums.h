// SPDX-License-Identifier: Apache-2.0
// Sums of products of packed inputs and panels of int8 weights, in registers. Private to this
// folder; each file that includes it is compiled for its instructions.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/blocks_of_rows.h"

namespace octet::kernels::avx512vnni {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr std::size_t kColumns = 32;  // of a panel: two vectors of sums

// A step takes 32 bits of each row, and the panels' weights for them. Four inputs of 8 bits:
struct S8Step {
  static constexpr std::size_t kInputs = 4;
  // Of 16 columns, as those below.
  static __m512i LoadWeights(const std::int8_t* weights) { return _mm512_load_si512(weights); }
  static void Add(__m512i inputs, __m512i weights, __m512i& sum) {
    AddDotProducts(inputs, weights, sum);
  }
};

// Two inputs of 16 bits: vpdpwssd adds two products of 16 bits to 32.
struct S16Step {
  static constexpr std::size_t kInputs = 2;
  static __m512i LoadWeights(const std::int8_t* weights) {
    return _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(weights)));
  }
  static void Add(__m512i inputs, __m512i weights, __m512i& sum) {
    sum = _mm512_dpwssd_epi32(sum, inputs, weights);
  }
};

// The inputs of kRows rows from number p on, times the weights for them of panels that are
// `panel_stride` apart.
template <typename Step, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void AddStep(const std::byte* const (&row)[kRows], std::size_t p,
                                           const std::int8_t* panels, std::size_t panel_stride,
                                           __m512i (&sum)[kRows][kVectors]) {
  __m512i weight[kVectors];
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    weight[v] = Step::LoadWeights(panels + v / 2 * panel_stride + p * kColumns +
                                  v % 2 * (Step::kInputs * kColumns / 2));
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int32_t bits = 0;
    __builtin_memcpy(&bits, row[r] + p * (sizeof(bits) / Step::kInputs), sizeof(bits));
    const __m512i x = _mm512_set1_epi32(bits);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) Step::Add(x, weight[v], sum[r][v]);
  }
}

// Where sums begin: the first of kUnroll parts at `start`, the others at 0.
template <std::size_t kUnroll, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void BeginParts(const __m512i (&start)[kVectors],
                                              __m512i (&part)[kUnroll][kRows][kVectors]) {
#pragma GCC unroll 8
  for (std::size_t u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        part[u][r][v] = u == 0 ? start[v] : _mm512_setzero_si512();
      }
    }
  }
}

template <std::size_t kUnroll, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void AddParts(const __m512i (&part)[kUnroll][kRows][kVectors],
                                            __m512i (&sum)[kRows][kVectors]) {
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = part[0][r][v];
#pragma GCC unroll 8
      for (std::size_t u = 1; u < kUnroll; ++u) {
        sum[r][v] = _mm512_add_epi32(sum[r][v], part[u][r][v]);
      }
    }
  }
}

// sum[row, column / 16] = start[column / 16] + the products of kRows rows and kVectors / 2 panels,
// which follow one another, or of the left half of one: kUnroll times over where they alone are too
// few to hide the latency of a step.
template <typename Step, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void SumProducts(const PanelInputs& in, std::size_t first_row,
                                               const std::int8_t* panels,
                                               const __m512i (&start)[kVectors],
                                               __m512i (&sum)[kRows][kVectors]) {
  constexpr std::size_t kSums = kRows * kVectors;
  constexpr std::size_t kUnroll = kSums <= 2 ? 4 : kSums < 8 ? 2 : 1;
  constexpr std::size_t kInputs = kUnroll * Step::kInputs;
  const std::size_t panel_stride = in.num_segments * in.segment_size * kColumns;
  __m512i part[kUnroll][kRows][kVectors];
  BeginParts(start, part);
  for (std::size_t s = 0; s < in.num_segments; ++s) {
    const std::byte* row[kRows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      row[r] = in.lhs + in.row_offset[first_row + r] + in.segment_offset[s];
    }
    std::size_t p = 0;
#pragma GCC unroll 2
    for (; p + kInputs <= in.segment_size; p += kInputs) {
#pragma GCC unroll 8
      for (std::size_t u = 0; u < kUnroll; ++u) {
        AddStep<Step>(row, p + u * Step::kInputs, panels, panel_stride, part[u]);
      }
    }
    if constexpr (kUnroll > 1) {
      for (; p < in.segment_size; p += Step::kInputs) {
        AddStep<Step>(row, p, panels, panel_stride, part[0]);
      }
    }
    panels += in.segment_size * kColumns;
  }
  AddParts(part, sum);
}

// S16Panels::multiply.
template <typename Step>
void Multiply(const PanelInputs& in, const std::int8_t* panel, std::int32_t* tile) {
  ForBlocksOfRows<8>(in.rows, [&]<std::size_t kRows>(std::size_t row) {
    const __m512i start[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i sum[kRows][2];
    SumProducts<Step>(in, row, panel, start, sum);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      _mm512_storeu_si512(tile + (row + r) * kColumns, sum[r][0]);
      _mm512_storeu_si512(tile + (row + r) * kColumns + 16, sum[r][1]);
    }
  });
}

}  // namespace
}  // namespace octet::kernels::avx512vnni
