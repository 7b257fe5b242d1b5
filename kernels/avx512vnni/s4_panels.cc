// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI. Nibbles are vpdpbusd's unsigned operand, so that
// inputs need no offset.
#include <cstddef>
#include <cstdint>

#include "kernels/avx512vnni/intrinsics.h"
#include "kernels/avx512vnni/panels.h"
#include "kernels/vectorized/s4_sums.h"

namespace octet::kernels::avx512vnni {
namespace {

constexpr std::size_t kColumns = 32;

// Many rows share weights that were unpacked to L1, so many inputs at a time.
constexpr std::size_t kManyRows = 16;
constexpr std::size_t kUnpackedInputs = 128;

struct Nibbles {
  const std::uint8_t* bytes;
  // The weights of four inputs with 32 columns.
  void Load(std::size_t p, __m512i& left, __m512i& right) const {
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i both = _mm512_load_si512(bytes + p * kColumns / 2);
    left = _mm512_and_si512(both, low);
    right = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
};

struct Bytes {
  const std::uint8_t* bytes;
  void Load(std::size_t p, __m512i& left, __m512i& right) const {
    left = _mm512_load_si512(bytes + p * kColumns);
    right = _mm512_load_si512(bytes + p * kColumns + 64);
  }
};

// sums[kRows, kColumns] += the products of `size` inputs, a multiple of 4 * kUnroll: kUnroll times
// over where the rows alone are too few to hide the latency of vpdpbusd.
template <std::size_t kRows, std::size_t kUnroll, typename Weights>
inline void AddProducts(const std::int8_t* lhs, std::size_t lhs_stride, Weights weights,
                        std::size_t size, std::int32_t* sums) {
  __m512i part[kUnroll][kRows][2];
#pragma GCC unroll 8
  for (std::size_t u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      part[u][r][0] = part[u][r][1] = _mm512_setzero_si512();
    }
  }
  for (std::size_t p = 0; p < size; p += 4 * kUnroll) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnroll; ++u) {
      __m512i left;
      __m512i right;
      weights.Load(p + 4 * u, left, right);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        std::int32_t bits = 0;
        __builtin_memcpy(&bits, lhs + r * lhs_stride + p + 4 * u, sizeof(bits));
        const __m512i x = _mm512_set1_epi32(bits);
        part[u][r][0] = _mm512_dpbusd_epi32(part[u][r][0], left, x);
        part[u][r][1] = _mm512_dpbusd_epi32(part[u][r][1], right, x);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    std::int32_t* target = sums + r * kColumns;
    __m512i left = _mm512_loadu_si512(target);
    __m512i right = _mm512_loadu_si512(target + 16);
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnroll; ++u) {
      left = _mm512_add_epi32(left, part[u][r][0]);
      right = _mm512_add_epi32(right, part[u][r][1]);
    }
    _mm512_storeu_si512(target, left);
    _mm512_storeu_si512(target + 16, right);
  }
}

template <std::size_t kRows>
struct FewRows {
  static void Add(const std::int8_t* lhs, std::size_t lhs_stride, const std::uint8_t* nibbles,
                  std::size_t size, std::int32_t* sums) {
    constexpr std::size_t kUnroll = kRows == 1 ? 4 : kRows <= 3 ? 2 : 1;
    AddProducts<kRows, kUnroll>(lhs, lhs_stride, Nibbles{nibbles}, size, sums);
  }
};

using FewRowProducts = NibbleProducts<kColumns, 8, FewRows>;

// The sums of a group, of all rows.
void ManyRowsOfGroup(const S4Run& run, std::size_t group, std::int32_t* sums) {
  alignas(64) std::uint8_t unpacked[kUnpackedInputs * kColumns];
  BeginS4Sums<kColumns>(run, 0, run.rows, group, sums);
  for (std::size_t first = 0; first < run.group_padded; first += kUnpackedInputs) {
    const std::size_t rest = run.group_padded - first;
    const std::size_t size = rest < kUnpackedInputs ? rest : kUnpackedInputs;
    const std::size_t offset = group * run.group_padded + first;
    const Nibbles nibbles = {run.panel + offset * kColumns / 2};
    for (std::size_t p = 0; p < size; p += 4) {
      __m512i left;
      __m512i right;
      nibbles.Load(p, left, right);
      _mm512_store_si512(unpacked + p * kColumns, left);
      _mm512_store_si512(unpacked + p * kColumns + 64, right);
    }
    ForBlocksOfRows<8>(run.rows, [&]<std::size_t kRows>(std::size_t row) {
      AddProducts<kRows, 1>(run.lhs + row * run.lhs_stride + offset, run.lhs_stride,
                            Bytes{unpacked}, size, sums + row * kColumns);
    });
  }
}

void Multiply(const S4Run& run, std::int32_t* tile) {
  if (run.rows < kManyRows) return FewRowProducts::Multiply(run, tile);
  ManyRowsOfGroup(run, 0, tile);
}

void MultiplyGroups(const S4Run& run, float* tile) {
  if (run.rows < kManyRows) return FewRowProducts::MultiplyGroups(run, tile);
  alignas(64) std::int32_t sums[kTileRows * kColumns];
  for (std::size_t i = 0; i < run.rows * kColumns; ++i) tile[i] = 0.0F;
  for (std::size_t group = 0; group < run.num_groups; ++group) {
    ManyRowsOfGroup(run, group, sums);
    AddScaledS4Sums<kColumns>(sums, run.rows, run.scale + group * kColumns, tile);
  }
}

}  // namespace

constexpr S4Panels kS4Panels = {.name = "avx512vnni vpdpbusd int4 8x32",
                                .columns = kColumns,
                                .k_multiple = 16,  // four times unrolled
                                .row_multiple = 1,
                                .multiply = Multiply,
                                .multiply_groups = MultiplyGroups};

}  // namespace octet::kernels::avx512vnni
