// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and AVX-VNNI. Nibbles are vpdpbusd's unsigned operand, so that inputs need no
// offset.
#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"
#include "kernels/avx2/panels.h"
#include "kernels/vectorized/s4_sums.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kColumns = 16;

template <std::size_t kRows>
struct VnniProducts {
  static void Add(const std::int8_t* lhs, std::size_t lhs_stride, const std::uint8_t* nibbles,
                  std::size_t size, std::int32_t* sums) {
    const __m256i low = _mm256_set1_epi8(15);
    __m256i sum[kRows][2];
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto* source = reinterpret_cast<const __m256i*>(sums + r * kColumns);
      sum[r][0] = _mm256_loadu_si256(source);
      sum[r][1] = _mm256_loadu_si256(source + 1);
    }
    for (std::size_t p = 0; p < size; p += 4) {
      const __m256i both =
          _mm256_load_si256(reinterpret_cast<const __m256i*>(nibbles + p * kColumns / 2));
      const __m256i left = _mm256_and_si256(both, low);
      const __m256i right = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
#pragma GCC unroll 6
      for (std::size_t r = 0; r < kRows; ++r) {
        std::int32_t bits = 0;
        __builtin_memcpy(&bits, lhs + r * lhs_stride + p, sizeof(bits));
        const __m256i x = _mm256_set1_epi32(bits);
        sum[r][0] = _mm256_dpbusd_avx_epi32(sum[r][0], left, x);
        sum[r][1] = _mm256_dpbusd_avx_epi32(sum[r][1], right, x);
      }
    }
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      auto* target = reinterpret_cast<__m256i*>(sums + r * kColumns);
      _mm256_storeu_si256(target, sum[r][0]);
      _mm256_storeu_si256(target + 1, sum[r][1]);
    }
  }
};

using AllProducts = NibbleProducts<kColumns, 6, VnniProducts>;

}  // namespace

constexpr S4Panels kS4VnniPanels = {.name = "avx2 avx-vnni int4 6x16",
                                    .columns = kColumns,
                                    .k_multiple = 4,
                                    .row_multiple = 1,
                                    .max_rows = kTileRows,
                                    .max_panels = 1,
                                    .max_row_panels = kTileRows,
                                    .multiply = AllProducts::Multiply,
                                    .multiply_groups = AllProducts::MultiplyGroups};

}  // namespace octet::kernels::avx2
