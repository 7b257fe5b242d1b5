// SPDX-License-Identifier: Apache-2.0
// Compiled for AMX-TILE, AMX-INT8 and AVX-512. Nibbles are unpacked to L1, where all rows of a tile
// of sums share them.
#include <cstddef>
#include <cstdint>

#include "kernels/amx/intrinsics.h"
#include "kernels/amx/panels.h"
#include "kernels/amx/tiles.h"
#include "kernels/vectorized/s4_sums.h"

namespace octet::kernels::amx {
namespace {

constexpr std::size_t kUnpackedInputs = 256;

// [size / 4, columns, 4] of the panel, which keeps the left columns in low nibbles.
void Unpack(const std::uint8_t* nibbles, std::size_t size, std::uint8_t* out) {
  constexpr std::size_t kHalf = 2 * kColumns;
  const std::uint8_t* __restrict source = nibbles;
  std::uint8_t* __restrict target = out;
  for (std::size_t p = 0; p < size; p += 4, source += kHalf, target += 2 * kHalf) {
    for (std::size_t i = 0; i < kHalf; ++i) {
      target[i] = source[i] & 15U;
      target[i + kHalf] = source[i] >> 4U;
    }
  }
}

struct Inputs {
  const std::int8_t* lhs;
  std::size_t stride;
  std::size_t size;  // along k, a multiple of step
  std::size_t step;
};

// sums += the products of 32 rows.
void AddTwoTiles(const Inputs& in, const std::uint8_t* weights, std::int32_t* sums) {
  constexpr std::size_t kStride = 4 * kColumns;
  std::int32_t* const below = sums + kTileHeight * kColumns;
  _tile_loadd(0, sums, kStride);
  _tile_loadd(1, sums + 16, kStride);
  _tile_loadd(2, below, kStride);
  _tile_loadd(3, below + 16, kStride);
  for (std::size_t p = 0; p < in.size; p += in.step) {
    _tile_loadd(4, in.lhs + p, in.stride);
    _tile_loadd(5, in.lhs + kTileHeight * in.stride + p, in.stride);
    _tile_loadd(6, weights + p * kColumns, kStride);
    _tile_loadd(7, weights + p * kColumns + kTileBytes, kStride);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  _tile_stored(2, below, kStride);
  _tile_stored(3, below + 16, kStride);
}

void AddOneTile(const Inputs& in, const std::uint8_t* weights, std::int32_t* sums) {
  constexpr std::size_t kStride = 4 * kColumns;
  _tile_loadd(0, sums, kStride);
  _tile_loadd(1, sums + 16, kStride);
  for (std::size_t p = 0; p < in.size; p += in.step) {
    _tile_loadd(4, in.lhs + p, in.stride);
    _tile_loadd(6, weights + p * kColumns, kStride);
    _tile_loadd(7, weights + p * kColumns + kTileBytes, kStride);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
  }
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
}

// How many neighbours along k a tile takes, so that a group is a number of them.
std::size_t StepOf(std::size_t group_padded) {
  if (group_padded % 64 == 0) return 64;
  return group_padded % 32 == 0 ? 32 : 16;
}

// The sums of one group, which begin with what zero points take away. Tiles are configured.
void GroupSums(const S4Run& run, std::size_t group, std::int32_t* sums) {
  BeginS4Sums<kColumns>(run, 0, run.rows, group, sums);
  alignas(64) std::uint8_t weights[kUnpackedInputs * kColumns];
  for (std::size_t first = 0; first < run.group_padded; first += kUnpackedInputs) {
    const std::size_t rest = run.group_padded - first;
    const std::size_t offset = group * run.group_padded + first;
    Inputs in = {.lhs = run.lhs + offset,
                 .stride = run.lhs_stride,
                 .size = rest < kUnpackedInputs ? rest : kUnpackedInputs,
                 .step = StepOf(run.group_padded)};
    Unpack(run.panel + offset * kColumns / 2, in.size, weights);
    std::size_t row = 0;
    for (; row + kTileHeight < run.rows; row += 2 * kTileHeight) {
      AddTwoTiles(in, weights, sums + row * kColumns);
      in.lhs += 2 * kTileHeight * in.stride;
    }
    if (row < run.rows) AddOneTile(in, weights, sums + row * kColumns);
  }
}

void MultiplyS4(const S4Run& run, std::int32_t* tile) {
  LoadTileConfig(StepOf(run.group_padded));
  GroupSums(run, 0, tile);
  _tile_release();
}

void MultiplyS4Groups(const S4Run& run, float* tile) {
  LoadTileConfig(StepOf(run.group_padded));
  alignas(64) std::int32_t sums[kTileRows * kColumns];
  for (std::size_t i = 0; i < run.rows * kColumns; ++i) tile[i] = 0.0F;
  for (std::size_t group = 0; group < run.num_groups; ++group) {
    GroupSums(run, group, sums);
    AddScaledS4Sums<kColumns>(sums, run.rows, run.scale + group * kColumns, tile);
  }
  _tile_release();
}

}  // namespace

constexpr S4Panels kS4Panels = {.name = "amx tdpbssd int4 32x32",
                                .columns = kColumns,
                                .k_multiple = kTileBytes,
                                .row_multiple = kTileHeight,
                                .max_rows = kTileRows,
                                .max_panels = 1,
                                .max_row_panels = kTileRows,
                                .multiply = MultiplyS4,
                                .multiply_groups = MultiplyS4Groups};

}  // namespace octet::kernels::amx
