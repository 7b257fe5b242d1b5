// SPDX-License-Identifier: Apache-2.0
// How the products of this folder use the eight tiles: 0 to 3 are sums, 4 and 5 inputs, 6 and 7
// weights (left and right half of a panel of 32 columns). Private to this folder.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/amx/intrinsics.h"

namespace octet::kernels::amx {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr std::size_t kColumns = 32;
constexpr std::size_t kTileBytes = 64;  // of a tile's row
constexpr std::size_t kTileHeight = 16;

struct alignas(64) TileConfig {
  std::uint8_t palette;
  std::uint8_t start_row;
  std::uint8_t reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};

// Sixteen rows of inputs, `step` neighbours along k at a time: a multiple of 4, at most kTileBytes.
// Loaded at each entry: oneDNN may have loaded its own in between.
inline void LoadTileConfig(std::size_t step) {
  TileConfig config = {};
  config.palette = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    config.row_bytes[i] = kTileBytes;
    config.rows[i] = kTileHeight;
  }
  for (const std::size_t input : {4UL, 5UL}) {
    config.row_bytes[input] = static_cast<std::uint16_t>(step);
  }
  for (const std::size_t weights : {6UL, 7UL}) {
    config.rows[weights] = static_cast<std::uint8_t>(step / 4);
  }
  _tile_loadconfig(&config);
}

}  // namespace
}  // namespace octet::kernels::amx
