// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and AVX-VNNI.
#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"
#include "kernels/avx2/panels.h"
#include "kernels/vectorized/blocks_of_rows.h"
#include "kernels/vectorized/offset_inputs.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kColumns = 16;

template <std::size_t kRows>
void MultiplyRows(const PanelInputs& in, std::size_t first_row, const std::int8_t* panel,
                  std::int32_t* tile) {
  __m256i sum[kRows][2];
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (std::size_t s = 0; s < in.num_segments; ++s) {
    const std::byte* row[kRows];
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      row[r] = in.lhs + in.row_offset[first_row + r] + in.segment_offset[s];
    }
    for (std::size_t p = 0; p < in.segment_size; p += 4, panel += 4 * kColumns) {
      const auto* weights = reinterpret_cast<const __m256i*>(panel);
      const __m256i left = _mm256_load_si256(weights);
      const __m256i right = _mm256_load_si256(weights + 1);
#pragma GCC unroll 6
      for (std::size_t r = 0; r < kRows; ++r) {
        std::int32_t bits = 0;
        __builtin_memcpy(&bits, row[r] + p, sizeof(bits));
        const __m256i x = _mm256_set1_epi32(bits);
        sum[r][0] = _mm256_dpbusd_avx_epi32(sum[r][0], x, left);
        sum[r][1] = _mm256_dpbusd_avx_epi32(sum[r][1], x, right);
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

void Multiply(const PanelInputs& in, const std::int8_t* panel, std::int32_t* tile) {
  ForBlocksOfRows<6>(in.rows, [&]<std::size_t kRows>(std::size_t row) {
    MultiplyRows<kRows>(in, row, panel, tile);
  });
}

}  // namespace

constexpr S8Panels kS8VnniPanels = {.name = "avx2 avx-vnni 6x16",
                                    .columns = kColumns,
                                    .interleave = 4,
                                    .k_multiple = 4,
                                    .row_multiple = 1,
                                    .lhs_element_size = 1,
                                    .lhs_offset = 128,
                                    .takes_segments = true,
                                    .pack_lhs = PackOffsetInputs,
                                    .multiply = Multiply};

}  // namespace octet::kernels::avx2
