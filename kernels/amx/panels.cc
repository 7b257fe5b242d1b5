// SPDX-License-Identifier: Apache-2.0
// Compiled for AMX-TILE, AMX-INT8 and AVX-512.
#include "kernels/amx/panels.h"

#include <cstddef>
#include <cstdint>

#include "kernels/amx/intrinsics.h"
#include "kernels/amx/tiles.h"

namespace octet::kernels::amx {
namespace {

void PackLhs(const std::int8_t* lhs, std::size_t lhs_stride, std::size_t rows, std::size_t k,
             std::size_t k_padded, std::byte* out) {
  auto* target = reinterpret_cast<std::int8_t*>(out);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int8_t* source = lhs + r * lhs_stride;
    for (std::size_t p = 0; p < k; ++p) target[p] = source[p];
    for (std::size_t p = k; p < k_padded; ++p) target[p] = 0;
    target += k_padded;
  }
  // Whole tiles of rows: what is below the last row is multiplied too, and not stored.
  const std::size_t rest = (kTileHeight - rows % kTileHeight) % kTileHeight * k_padded;
  for (std::size_t i = 0; i < rest; ++i) target[i] = 0;
}

// Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights (left and right half of the panel).
void MultiplyTwoTiles(const std::int8_t* lhs, std::size_t k, const std::int8_t* panel,
                      std::int32_t* tile) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::size_t p = 0; p < k; p += kTileBytes) {
    _tile_loadd(4, lhs + p, k);
    _tile_loadd(5, lhs + kTileHeight * k + p, k);
    _tile_loadd(6, panel + p * kColumns, 4 * kColumns);
    _tile_loadd(7, panel + p * kColumns + kTileBytes, 4 * kColumns);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, tile, 4 * kColumns);
  _tile_stored(1, tile + 16, 4 * kColumns);
  _tile_stored(2, tile + kTileHeight * kColumns, 4 * kColumns);
  _tile_stored(3, tile + kTileHeight * kColumns + 16, 4 * kColumns);
}

void MultiplyOneTile(const std::int8_t* lhs, std::size_t k, const std::int8_t* panel,
                     std::int32_t* tile) {
  _tile_zero(0);
  _tile_zero(1);
  for (std::size_t p = 0; p < k; p += kTileBytes) {
    _tile_loadd(4, lhs + p, k);
    _tile_loadd(6, panel + p * kColumns, 4 * kColumns);
    _tile_loadd(7, panel + p * kColumns + kTileBytes, 4 * kColumns);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
  }
  _tile_stored(0, tile, 4 * kColumns);
  _tile_stored(1, tile + 16, 4 * kColumns);
}

void Multiply(const PanelInputs& in, const std::int8_t* panel, std::int32_t* tile) {
  const auto* lhs = reinterpret_cast<const std::int8_t*>(in.lhs);
  const std::size_t k = in.segment_size;
  LoadTileConfig(kTileBytes);
  std::size_t row = 0;
  for (; row + kTileHeight < in.rows; row += 2 * kTileHeight) {
    MultiplyTwoTiles(lhs + row * k, k, panel, tile + row * kColumns);
  }
  if (row < in.rows) MultiplyOneTile(lhs + row * k, k, panel, tile + row * kColumns);
  // The tiles' state would be saved at every switch of threads, and keeps the core from sleeping.
  _tile_release();
}

}  // namespace

constexpr S8Panels kS8Panels = {.name = "amx tdpbssd 32x32",
                                .columns = kColumns,
                                .interleave = 4,
                                .k_multiple = kTileBytes,
                                .row_multiple = kTileHeight,
                                .lhs_element_size = 1,
                                .lhs_offset = 0,
                                .takes_segments = false,
                                .pack_lhs = PackLhs,
                                .multiply = Multiply};

}  // namespace octet::kernels::amx
