// SPDX-License-Identifier: Apache-2.0
// Compiled for AMX-TILE, AMX-BF16 and AVX-512, but not for its bfloat16 instructions: not every
// hypervisor that shows AMX shows them.
#include <cstddef>
#include <cstdint>

#include "kernels/amx/intrinsics.h"
#include "kernels/amx/panels.h"
#include "kernels/amx/tiles.h"
#include "kernels/vectorized/attention.h"
#include "kernels/vectorized/bf16.h"

namespace octet::kernels::amx {
namespace {

static_assert(kBf16KMultiple * sizeof(std::uint16_t) == kTileBytes);
static_assert(kBf16RowMultiple == kTileHeight);

constexpr std::size_t kPairs = kBf16KMultiple / 2;  // of neighbours along k, in a tile

std::size_t PaddedK(std::size_t k) {
  return (k + kBf16KMultiple - 1) / kBf16KMultiple * kBf16KMultiple;
}

void RoundRow(const float* __restrict source, std::size_t k, std::uint16_t* __restrict target) {
  for (std::size_t p = 0; p < k; ++p) target[p] = static_cast<std::uint16_t>(Bf16Bits(source[p]));
}

void PackLhs(const float* lhs, std::size_t stride, std::size_t rows, std::size_t k,
             std::uint16_t* out) {
  const std::size_t k_padded = PaddedK(k);
  for (std::size_t r = 0; r < rows; ++r, out += k_padded) {
    RoundRow(lhs + r * stride, k, out);
    for (std::size_t p = k; p < k_padded; ++p) out[p] = 0;
  }
  const std::size_t rest = (kTileHeight - rows % kTileHeight) % kTileHeight * k_padded;
  for (std::size_t i = 0; i < rest; ++i) out[i] = 0;
}

// Sixteen pairs of bfloat16.
using Pairs = std::uint32_t __attribute__((vector_size(64)));

template <std::size_t... kIndex>
struct Indices {};

// Exchanges elements between rows that are kStep apart: a step of a transposition.
template <int kStep, std::size_t... kIndex>
inline void Exchange(Pairs& a, Pairs& b, Indices<kIndex...> /*indices*/) {
  const Pairs upper = a;
  a = __builtin_shufflevector(
      upper, b,
      (kIndex & kStep ? 16 + static_cast<int>(kIndex) - kStep : static_cast<int>(kIndex))...);
  b = __builtin_shufflevector(
      upper, b,
      (kIndex & kStep ? 16 + static_cast<int>(kIndex) : static_cast<int>(kIndex) + kStep)...);
}

template <int kStep>
inline void ExchangeAll(Pairs* rows) {
  constexpr Indices<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15> kAll = {};
  for (int i = 0; i < 16; ++i) {
    if ((i & kStep) == 0) Exchange<kStep>(rows[i], rows[i + kStep], kAll);
  }
}

// Of 16 rows of at most 32 floats: [16 pairs, 16 rows] at `out`, kColumns pairs apart.
void PackTransposedTile(const float* matrix, std::size_t stride, std::size_t rows, std::size_t k,
                        std::uint32_t* out) {
  alignas(64) std::uint16_t halves[kTileHeight * kBf16KMultiple];
  if (rows < kTileHeight || k < kBf16KMultiple) {
    for (std::uint16_t& half : halves) half = 0;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    RoundRow(matrix + r * stride, k, halves + r * kBf16KMultiple);
  }
  Pairs pairs[kPairs];
  __builtin_memcpy(pairs, halves, sizeof(pairs));
  ExchangeAll<8>(pairs);
  ExchangeAll<4>(pairs);
  ExchangeAll<2>(pairs);
  ExchangeAll<1>(pairs);
  for (std::size_t p = 0; p < kPairs; ++p) {
    __builtin_memcpy(out + p * kColumns, &pairs[p], sizeof(Pairs));
  }
}

void PackTransposed(const float* matrix, std::size_t stride, std::size_t n, std::size_t k,
                    std::uint16_t* panels) {
  auto* out = reinterpret_cast<std::uint32_t*>(panels);
  for (std::size_t panel = 0; panel < n; panel += kColumns) {
    for (std::size_t p = 0; p < k; p += kBf16KMultiple, out += kPairs * kColumns) {
      const std::size_t width = k - p < kBf16KMultiple ? k - p : kBf16KMultiple;
      for (std::size_t half = 0; half < kColumns; half += kTileHeight) {
        const std::size_t first = panel + half;
        const std::size_t left = first < n ? n - first : 0;
        PackTransposedTile(matrix + first * stride + p, stride,
                           left < kTileHeight ? left : kTileHeight, width, out + half);
      }
    }
  }
}

void PackRhs(const float* matrix, std::size_t stride, std::size_t k, std::size_t n,
             std::uint16_t* panels) {
  const std::size_t k_padded = PaddedK(k);
  auto* out = reinterpret_cast<std::uint32_t*>(panels);
  for (std::size_t first = 0; first < n; first += kColumns) {
    const std::size_t columns = n - first < kColumns ? n - first : kColumns;
    for (std::size_t p = 0; p < k_padded; p += 2, out += kColumns) {
      const float* __restrict even = matrix + p * stride + first;
      const float* __restrict odd = even + stride;
      std::uint32_t* __restrict target = out;
      std::size_t j = 0;
      if (p + 1 < k) {
        for (; j < columns; ++j) target[j] = Bf16Bits(even[j]) | Bf16Bits(odd[j]) << 16U;
      } else if (p < k) {
        for (; j < columns; ++j) target[j] = Bf16Bits(even[j]);
      }
      for (; j < kColumns; ++j) target[j] = 0;
    }
  }
}

// Of a panel's left and right half, for 32 rows of sums.
template <bool kAdds>
void MultiplyTwoTiles(const std::uint16_t* lhs, std::size_t k, const std::uint16_t* panel,
                      float* tile) {
  constexpr std::size_t kStride = sizeof(float) * kColumns;
  float* const below = tile + kTileHeight * kColumns;
  if constexpr (kAdds) {
    _tile_loadd(0, tile, kStride);
    _tile_loadd(1, tile + 16, kStride);
    _tile_loadd(2, below, kStride);
    _tile_loadd(3, below + 16, kStride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::size_t stride = k * sizeof(std::uint16_t);
  for (std::size_t p = 0; p < k; p += kBf16KMultiple) {
    _tile_loadd(4, lhs + p, stride);
    _tile_loadd(5, lhs + kTileHeight * k + p, stride);
    _tile_loadd(6, panel + p * kColumns, kStride);
    _tile_loadd(7, panel + p * kColumns + kBf16KMultiple, kStride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, tile, kStride);
  _tile_stored(1, tile + 16, kStride);
  _tile_stored(2, below, kStride);
  _tile_stored(3, below + 16, kStride);
}

// The same for 16 rows.
template <bool kAdds>
void MultiplyOneTile(const std::uint16_t* lhs, std::size_t k, const std::uint16_t* panel,
                     float* tile) {
  constexpr std::size_t kStride = sizeof(float) * kColumns;
  if constexpr (kAdds) {
    _tile_loadd(0, tile, kStride);
    _tile_loadd(1, tile + 16, kStride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  for (std::size_t p = 0; p < k; p += kBf16KMultiple) {
    _tile_loadd(4, lhs + p, k * sizeof(std::uint16_t));
    _tile_loadd(6, panel + p * kColumns, kStride);
    _tile_loadd(7, panel + p * kColumns + kBf16KMultiple, kStride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, tile, kStride);
  _tile_stored(1, tile + 16, kStride);
}

template <bool kAdds>
void Multiply(const std::uint16_t* lhs, std::size_t rows, std::size_t k,
              const std::uint16_t* panels, std::size_t num_panels, float* tile) {
  LoadTileConfig(kTileBytes);
  for (std::size_t panel = 0; panel < num_panels; ++panel, panels += k * kColumns) {
    std::size_t row = 0;
    for (; row + kTileHeight < rows; row += 2 * kTileHeight) {
      MultiplyTwoTiles<kAdds>(lhs + row * k, k, panels, tile);
      tile += 2 * kTileHeight * kColumns;
    }
    if (row < rows) {
      MultiplyOneTile<kAdds>(lhs + row * k, k, panels, tile);
      tile += kTileHeight * kColumns;
    }
  }
  _tile_release();
}

void Weights(const AttentionScores& scores, std::size_t stride, std::uint16_t* weights) {
  AttentionWeights<kColumns>(scores, stride, weights);
  for (std::size_t r = 0; r < scores.rows; ++r) {
    for (std::size_t j = scores.keys; j < stride; ++j) weights[r * stride + j] = 0;
  }
  const std::size_t rest = (kTileHeight - scores.rows % kTileHeight) % kTileHeight * stride;
  for (std::size_t i = 0; i < rest; ++i) weights[scores.rows * stride + i] = 0;
}

}  // namespace

constexpr Bf16Panels kBf16Panels = {.name = "amx tdpbf16ps 32x32",
                                    .columns = kColumns,
                                    .pack_lhs = PackLhs,
                                    .pack_transposed = PackTransposed,
                                    .pack_rhs = PackRhs,
                                    .multiply = Multiply<false>,
                                    .multiply_add = Multiply<true>,
                                    .attention_weights = Weights};

}  // namespace octet::kernels::amx
