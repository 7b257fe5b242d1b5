// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2.
//
// vpmaddubsw cannot saturate here: two products of a nibble and an int8 reach 15 * 128 * 2 = 3840,
// and eight such pairs 30720. So sums stay in 16 bits, twice as many a vector, for 32 inputs.
#include <cstddef>
#include <cstdint>

#include "kernels/avx2/intrinsics.h"
#include "kernels/avx2/panels.h"
#include "kernels/vectorized/s4_sums.h"

namespace octet::kernels::avx2 {
namespace {

constexpr std::size_t kColumns = 16;
constexpr std::size_t kInputsIn16Bits = 32;

// *sum += a pair of 16-bit sums each. Sums stay in memory, so that the others have the registers.
inline void AddPairs(__m256i pairs, std::int32_t* sum) {
  auto* target = reinterpret_cast<__m256i*>(sum);
  const __m256i both = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  _mm256_storeu_si256(target, _mm256_add_epi32(_mm256_loadu_si256(target), both));
}

// In place: of an intrinsic GCC makes a sum in another register, computes the products of all rows
// before it adds the first, and then lacks registers. Of few rows it makes the better code.
template <std::size_t kRows>
inline void AddInPlace(__m256i products, __m256i& sum) {
  if constexpr (kRows > 3) {
    asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(products));
  } else {
    sum = _mm256_add_epi16(sum, products);
  }
}

template <std::size_t kRows>
struct ShortProducts {
  static void Add(const std::int8_t* lhs, std::size_t lhs_stride, const std::uint8_t* nibbles,
                  std::size_t size, std::int32_t* sums) {
    const __m256i low = _mm256_set1_epi8(15);
    for (std::size_t p = 0; p < size;) {
      const std::size_t end = p + kInputsIn16Bits < size ? p + kInputsIn16Bits : size;
      __m256i part[kRows][2];
      for (std::size_t r = 0; r < kRows; ++r) part[r][0] = part[r][1] = _mm256_setzero_si256();
      for (; p < end; p += 4, nibbles += 4 * kColumns / 2) {
        const __m256i both = _mm256_load_si256(reinterpret_cast<const __m256i*>(nibbles));
        const __m256i left = _mm256_and_si256(both, low);
        const __m256i right = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
#pragma GCC unroll 6
        for (std::size_t r = 0; r < kRows; ++r) {
          std::int32_t bits = 0;
          __builtin_memcpy(&bits, lhs + r * lhs_stride + p, sizeof(bits));
          const __m256i x = _mm256_set1_epi32(bits);
          AddInPlace<kRows>(_mm256_maddubs_epi16(left, x), part[r][0]);
          AddInPlace<kRows>(_mm256_maddubs_epi16(right, x), part[r][1]);
        }
      }
#pragma GCC unroll 6
      for (std::size_t r = 0; r < kRows; ++r) {
        AddPairs(part[r][0], sums + r * kColumns);
        AddPairs(part[r][1], sums + r * kColumns + 8);
      }
    }
  }
};

using AllProducts = NibbleProducts<kColumns, 6, ShortProducts>;

}  // namespace

constexpr S4Panels kS4Panels = {.name = "avx2 vpmaddubsw int4 6x16",
                                .columns = kColumns,
                                .k_multiple = 4,
                                .row_multiple = 1,
                                .max_rows = kTileRows,
                                .max_panels = 1,
                                .max_row_panels = kTileRows,
                                .multiply = AllProducts::Multiply,
                                .multiply_groups = AllProducts::MultiplyGroups};

}  // namespace octet::kernels::avx2
