// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and AVX-VNNI.
#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"
#include "kernels/avx2/panels.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kColumns = 16;

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

template <std::size_t kRows>
void MultiplyRows(const std::uint8_t* lhs, std::size_t k, const std::int8_t* panel,
                  std::int32_t* tile) {
  __m256i sum[kRows][2];
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (std::size_t p = 0; p < k; p += 4) {
    const auto* weights = reinterpret_cast<const __m256i*>(panel + p * kColumns);
    const __m256i left = _mm256_load_si256(weights);
    const __m256i right = _mm256_load_si256(weights + 1);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      std::int32_t bits = 0;
      __builtin_memcpy(&bits, lhs + r * k + p, sizeof(bits));
      const __m256i x = _mm256_set1_epi32(bits);
      sum[r][0] = _mm256_dpbusd_avx_epi32(sum[r][0], x, left);
      sum[r][1] = _mm256_dpbusd_avx_epi32(sum[r][1], x, right);
    }
  }
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
    auto* target = reinterpret_cast<__m256i*>(tile + r * kColumns);
    _mm256_storeu_si256(target, sum[r][0]);
    _mm256_storeu_si256(target + 1, sum[r][1]);
  }
}

void Multiply(const std::byte* lhs, std::size_t rows, std::size_t k_padded,
              const std::int8_t* panel, std::int32_t* tile) {
  const auto* source = reinterpret_cast<const std::uint8_t*>(lhs);
  for (; rows >= 6; rows -= 6, source += 6 * k_padded, tile += 6 * kColumns) {
    MultiplyRows<6>(source, k_padded, panel, tile);
  }
  switch (rows) {
    case 5:
      return MultiplyRows<5>(source, k_padded, panel, tile);
    case 4:
      return MultiplyRows<4>(source, k_padded, panel, tile);
    case 3:
      return MultiplyRows<3>(source, k_padded, panel, tile);
    case 2:
      return MultiplyRows<2>(source, k_padded, panel, tile);
    case 1:
      return MultiplyRows<1>(source, k_padded, panel, tile);
    default:
      return;
  }
}

}  // namespace

constexpr S8Panels kS8VnniPanels = {.name = "avx2 avx-vnni 6x16",
                                    .columns = kColumns,
                                    .interleave = 4,
                                    .k_multiple = 4,
                                    .row_multiple = 1,
                                    .lhs_element_size = 1,
                                    .lhs_offset = 128,
                                    .pack_lhs = PackLhs,
                                    .multiply = Multiply};

}  // namespace octet::kernels::avx2
