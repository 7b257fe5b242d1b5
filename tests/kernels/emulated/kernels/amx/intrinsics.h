// SPDX-License-Identifier: Apache-2.0
// In place of kernels/amx/intrinsics.h: the tiles of AMX as plain memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// NOLINTBEGIN: names that are the compiler's, a copy of the tiles for each translation unit

namespace octet::kernels {
namespace {

// The configuration's layout is the instruction's: palette, start row, reserved, bytes a row of
// sixteen tiles, rows of sixteen tiles.
struct EmulatedTiles {
  std::uint16_t row_bytes[8];
  std::uint8_t rows[8];
  std::uint8_t bytes[8][16][64];
};

thread_local EmulatedTiles emulated_tiles;

inline void EmulatedLoadConfig(const void* config) {
  const auto* source = static_cast<const std::uint8_t*>(config);
  std::memcpy(emulated_tiles.row_bytes, source + 16, sizeof(emulated_tiles.row_bytes));
  std::memcpy(emulated_tiles.rows, source + 48, sizeof(emulated_tiles.rows));
  std::memset(emulated_tiles.bytes, 0, sizeof(emulated_tiles.bytes));
}

// Nothing works after it until a configuration is loaded again.
inline void EmulatedRelease() { std::memset(&emulated_tiles, 0, sizeof(emulated_tiles)); }

inline void EmulatedZero(int tile) {
  std::memset(emulated_tiles.bytes[tile], 0, sizeof(emulated_tiles.bytes[tile]));
}

inline void EmulatedLoad(int tile, const void* base, std::size_t stride) {
  for (std::size_t r = 0; r < emulated_tiles.rows[tile]; ++r) {
    std::memcpy(emulated_tiles.bytes[tile][r], static_cast<const char*>(base) + r * stride,
                emulated_tiles.row_bytes[tile]);
  }
}

inline void EmulatedStore(int tile, void* base, std::size_t stride) {
  for (std::size_t r = 0; r < emulated_tiles.rows[tile]; ++r) {
    std::memcpy(static_cast<char*>(base) + r * stride, emulated_tiles.bytes[tile][r],
                emulated_tiles.row_bytes[tile]);
  }
}

inline std::int8_t EmulatedByte(int tile, std::size_t row, std::size_t byte) {
  return static_cast<std::int8_t>(emulated_tiles.bytes[tile][row][byte]);
}

// sum[m, n] += lhs[m, 4 k + i] * rhs[k, 4 n + i] over all k and i.
inline void EmulatedDotProduct(int sum, int lhs, int rhs) {
  for (std::size_t m = 0; m < emulated_tiles.rows[sum]; ++m) {
    std::int32_t row[16];
    std::memcpy(row, emulated_tiles.bytes[sum][m], sizeof(row));
    for (std::size_t n = 0; n < emulated_tiles.row_bytes[sum] / 4U; ++n) {
      for (std::size_t k = 0; k < emulated_tiles.row_bytes[lhs] / 4U; ++k) {
        for (std::size_t i = 0; i < 4; ++i) {
          row[n] += EmulatedByte(lhs, m, 4 * k + i) * EmulatedByte(rhs, k, 4 * n + i);
        }
      }
    }
    std::memcpy(emulated_tiles.bytes[sum][m], row, sizeof(row));
  }
}

// A subnormal number counts as 0.
inline float EmulatedFlush(float x) { return __builtin_fabsf(x) < 0x1p-126F ? 0.0F * x : x; }

inline float EmulatedBf16(int tile, std::size_t row, std::size_t index) {
  std::uint16_t half = 0;
  std::memcpy(&half, &emulated_tiles.bytes[tile][row][2 * index], sizeof(half));
  return EmulatedFlush(__builtin_bit_cast(float, static_cast<std::uint32_t>(half) << 16));
}

// sum[m, n] += lhs[m, 2 k] * rhs[k, 2 n] over all k, plus the same of the odd ones, as the
// instruction adds: each of the two with a fused multiplication.
inline void EmulatedBf16DotProduct(int sum, int lhs, int rhs) {
  for (std::size_t m = 0; m < emulated_tiles.rows[sum]; ++m) {
    float row[16];
    std::memcpy(row, emulated_tiles.bytes[sum][m], sizeof(row));
    for (std::size_t n = 0; n < emulated_tiles.row_bytes[sum] / 4U; ++n) {
      float part[2] = {};
      for (std::size_t k = 0; k < emulated_tiles.row_bytes[lhs] / 4U; ++k) {
        for (std::size_t i = 0; i < 2; ++i) {
          part[i] = EmulatedFlush(__builtin_fmaf(EmulatedBf16(lhs, m, 2 * k + i),
                                                 EmulatedBf16(rhs, k, 2 * n + i), part[i]));
        }
      }
      row[n] = EmulatedFlush(EmulatedFlush(row[n]) + EmulatedFlush(part[0] + part[1]));
    }
    std::memcpy(emulated_tiles.bytes[sum][m], row, sizeof(row));
  }
}

}  // namespace
}  // namespace octet::kernels

#define _tile_loadconfig(config) EmulatedLoadConfig(config)
#define _tile_release() EmulatedRelease()
#define _tile_zero(tile) EmulatedZero(tile)
#define _tile_loadd(tile, base, stride) EmulatedLoad(tile, base, stride)
#define _tile_stored(tile, base, stride) EmulatedStore(tile, base, stride)
#define _tile_dpbssd(sum, lhs, rhs) EmulatedDotProduct(sum, lhs, rhs)
#define _tile_dpbf16ps(sum, lhs, rhs) EmulatedBf16DotProduct(sum, lhs, rhs)

// NOLINTEND
