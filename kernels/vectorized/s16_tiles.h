// SPDX-License-Identifier: Apache-2.0
// What happens to tiles of sums of int16 inputs, as loops that the compiler vectorizes: in float64,
// which holds every sum exactly. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/tiles.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// clip(round(value), lo, hi) for integers lo and hi of int16 and a value that is not NaN.
template <HalfRounding kRounding>
inline std::int16_t RoundClippedS16(double value, double lo, double hi) {
  const double above = value < lo ? lo : value;
  const double bounded = above > hi ? hi : above;
  // The low bits of x + 1.5 * 2^52 are x rounded half to even.
  constexpr double kOffset = 6755399441055744.0;
  const double even = bounded + kOffset;
  auto rounded = static_cast<std::int16_t>(__builtin_bit_cast(std::int64_t, even));
  if constexpr (kRounding != HalfRounding::kEven) {
    const double rest = bounded - (even - kOffset);  // exact
    const bool is_up = rest == 0.5 && (kRounding == HalfRounding::kUp || bounded > 0.0);
    const bool is_down = rest == -0.5 && kRounding == HalfRounding::kAway && bounded < 0.0;
    rounded = static_cast<std::int16_t>(rounded + (is_up ? 1 : 0) - (is_down ? 1 : 0));
  }
  return rounded;
}

// A tile to int16.
template <std::size_t kColumns, HalfRounding kRounding, typename Sum>
inline void RoundS16Tile(const S16EpilogueTable& table, const TileTarget& target, const Sum* sums) {
  const double* add = table.add + target.first_channel;
  const double* scale = table.scale + target.first_channel;
  const auto lo = static_cast<double>(table.lo);
  const auto hi = static_cast<double>(table.hi);
  auto* out = static_cast<std::int16_t*>(target.out);
  // A full row goes where it belongs at once.
  const auto round_row = [=](const Sum* sum, std::int16_t* row) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      row[j] =
          RoundClippedS16<kRounding>((static_cast<double>(sum[j]) + add[j]) * scale[j], lo, hi);
    }
  };
  if (target.num_channels == kColumns) {
    for (std::size_t r = 0; r < target.rows; ++r) {
      round_row(sums + r * kColumns, out + r * target.out_stride);
    }
    return;
  }
  for (std::size_t r = 0; r < target.rows; ++r) {
    alignas(64) std::int16_t row[kColumns];
    round_row(sums + r * kColumns, row);
    CopyRow<kColumns>(row, target.num_channels, out + r * target.out_stride);
  }
}

// Sum is std::int32_t, or double for whole numbers beyond.
template <std::size_t kColumns, typename Sum>
inline void StoreS16Tile(const S16EpilogueTable& table, const TileTarget& target, const Sum* sums) {
  const double* add = table.add + target.first_channel;
  const double* scale = table.scale + target.first_channel;
  if (table.kind == EpilogueKind::kStaticFloat) {
    alignas(64) float y[kTileRows * kColumns];
    for (std::size_t r = 0; r < target.rows; ++r) {
      const Sum* sum = sums + r * kColumns;
      for (std::size_t j = 0; j < kColumns; ++j) {
        y[r * kColumns + j] = static_cast<float>((static_cast<double>(sum[j]) + add[j]) * scale[j]);
      }
    }
    return StoreFloatTile<kColumns>(table.activation, target, y);
  }
  switch (table.rounding) {
    case HalfRounding::kEven:
      return RoundS16Tile<kColumns, HalfRounding::kEven>(table, target, sums);
    case HalfRounding::kAway:
      return RoundS16Tile<kColumns, HalfRounding::kAway>(table, target, sums);
    case HalfRounding::kUp:
      return RoundS16Tile<kColumns, HalfRounding::kUp>(table, target, sums);
  }
}

// total[i] += sums[i].
inline void AddSums(const std::int32_t* sums, std::size_t size, double* total) {
  for (std::size_t i = 0; i < size; ++i) total[i] += static_cast<double>(sums[i]);
}

}  // namespace
}  // namespace octet::kernels
