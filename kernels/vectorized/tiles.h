// SPDX-License-Identifier: Apache-2.0
// What happens to tiles of sums, as loops that the compiler vectorizes. Private
// to this room.
//
// kColumns is the set's panel width: a constant, so that the inner loops have
// no tail. Tables are padded to whole panels, and results beyond num_channels
// are computed but not stored.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/activation.h"
#include "kernels/vectorized/fixed_point.h"
#include "kernels/vectorized/quantize.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// Copies the last `size` % (2 * kPiece) values in pieces of powers of two, without a call.
template <std::size_t kPiece, typename T>
inline void CopyPieces(const T* row, std::size_t size, T* out) {
  if ((size & kPiece) != 0) {
    __builtin_memcpy(out, row, kPiece * sizeof(T));
    row += kPiece;
    out += kPiece;
  }
  if constexpr (kPiece > 1) CopyPieces<kPiece / 2>(row, size, out);
}

// Copies the first `size` of a row of the tile out.
template <std::size_t kColumns, typename T>
inline void CopyRow(const T* row, std::size_t size, T* out) {
  if (size == kColumns) {
    __builtin_memcpy(out, row, kColumns * sizeof(T));
  } else {
    CopyPieces<kColumns / 2>(row, size, out);
  }
}

// int32 sums wrap; the prepare step has shown that the finished ones fit.
inline std::int32_t WrappingAdd(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
inline std::int32_t FinishedSum(std::int32_t acc, std::int32_t add, std::int32_t term) {
  return WrappingAdd(WrappingAdd(acc, add), term);
}

// What is added to the sum of row r and column j for zero points of the weights: nothing, one term
// for a row, or the channel's share of it.
struct NoTerms {
  std::int32_t operator()(std::size_t, std::size_t) const { return 0; }
};
struct RowTerms {
  const std::int32_t* term;
  std::int32_t operator()(std::size_t r, std::size_t) const { return term[r]; }
};
struct ChannelTerms {
  const std::int32_t* term;
  const std::int32_t* factor;
  std::int32_t operator()(std::size_t r, std::size_t j) const {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(term[r]) *
                                     static_cast<std::uint32_t>(factor[j]));
  }
};

inline float ScaleOfRow(const RowScales& scales, std::size_t r) {
  const std::size_t row = scales.first_row + r;
  return scales.scale[scales.rows_per_scale == 1 ? row : row / scales.rows_per_scale];
}

// Adds the first `size` values to a row of the tile.
template <std::size_t kColumns>
inline void AddToRow(const float* values, std::size_t size, float* row) {
  if (size == kColumns) {
    for (std::size_t j = 0; j < kColumns; ++j) row[j] += values[j];
  } else {
    for (std::size_t j = 0; j < size; ++j) row[j] += values[j];
  }
}

// Activates the whole tile at once, adds the residual, then copies its rows out.
template <std::size_t kColumns>
inline void StoreFloatTile(const Activation& activation, const TileTarget& target, float* tile) {
  if (activation.kind != ActivationKind::kLinear) {
    ActivateRange(activation, tile, target.rows * kColumns, tile);
  }
  auto* out = static_cast<float*>(target.out);
  for (std::size_t r = 0; r < target.rows; ++r) {
    if (target.residual != nullptr) {
      AddToRow<kColumns>(target.residual + r * target.out_stride, target.num_channels,
                         tile + r * kColumns);
    }
    CopyRow<kColumns>(tile + r * kColumns, target.num_channels, out + r * target.out_stride);
  }
}

template <std::size_t kColumns, typename Terms>
inline void StoreDynamic(const EpilogueTable& table, const TileTarget& target, const Terms& terms,
                         const std::int32_t* tile) {
  alignas(64) float y[kTileRows * kColumns];
  const std::int32_t* add = table.add + target.first_channel;
  const float* scale = table.scale + target.first_channel;
  const float* bias = table.bias + target.first_channel;
  for (std::size_t r = 0; r < target.rows; ++r) {
    const float row_scale = ScaleOfRow(target.row_scales, r);
    const std::int32_t* acc = tile + r * kColumns;
    float* row = y + r * kColumns;
    if (table.convention == ScaleConvention::kReciprocal) {
      for (std::size_t j = 0; j < kColumns; ++j) {
        const auto sum = static_cast<float>(FinishedSum(acc[j], add[j], terms(r, j)));
        row[j] = sum / (row_scale * scale[j]) + bias[j];
      }
    } else {
      for (std::size_t j = 0; j < kColumns; ++j) {
        const auto sum = static_cast<float>(FinishedSum(acc[j], add[j], terms(r, j)));
        row[j] = sum / row_scale * scale[j] + bias[j];
      }
    }
  }
  StoreFloatTile<kColumns>(table.activation, target, y);
}

template <std::size_t kColumns, typename Terms>
inline void StoreStatic(const EpilogueTable& table, const TileTarget& target, const Terms& terms,
                        const std::int32_t* tile) {
  const std::int32_t* add = table.add + target.first_channel;
  const float* scale = table.scale + target.first_channel;
  const std::int32_t zero = table.zero_point;
  const auto lo = static_cast<float>(table.lo - zero);
  const auto hi = static_cast<float>(table.hi - zero);
  auto* out = static_cast<std::int8_t*>(target.out);
  for (std::size_t r = 0; r < target.rows; ++r) {
    const std::int32_t* acc = tile + r * kColumns;
    // A loop of whole vectors, then one that narrows them: as one loop, GCC takes vectors of half
    // the width. No real is NaN, because scales are finite.
    alignas(64) std::int32_t wide[kColumns];
    for (std::size_t j = 0; j < kColumns; ++j) {
      const float real = static_cast<float>(FinishedSum(acc[j], add[j], terms(r, j))) * scale[j];
      wide[j] = RoundClippedNumber(real, lo, hi);
    }
    alignas(64) std::int8_t row[kColumns];
    for (std::size_t j = 0; j < kColumns; ++j) row[j] = static_cast<std::int8_t>(wide[j] + zero);
    CopyRow<kColumns>(row, target.num_channels, out + r * target.out_stride);
  }
}

template <std::size_t kColumns, typename Terms>
inline void StoreStaticFixed(const EpilogueTable& table, const TileTarget& target,
                             const Terms& terms, const std::int32_t* tile) {
  const std::int32_t* add = table.add + target.first_channel;
  FixedPointTable scale = table.fixed;
  scale.multiplier += target.first_channel;
  scale.round += target.first_channel;
  scale.round_negative += target.first_channel;
  scale.shift += target.first_channel;
  const std::int32_t zero = table.zero_point;
  const std::int32_t lo = table.lo - zero;
  const std::int32_t hi = table.hi - zero;
  auto* out = static_cast<std::int8_t*>(target.out);
  for (std::size_t r = 0; r < target.rows; ++r) {
    const std::int32_t* acc = tile + r * kColumns;
    alignas(64) std::int32_t wide[kColumns];
    for (std::size_t j = 0; j < kColumns; ++j) {
      wide[j] = FixedPointProduct(FinishedSum(acc[j], add[j], terms(r, j)), scale.multiplier[j],
                                  scale.round[j], scale.round_negative[j], scale.shift[j]);
    }
    alignas(64) std::int8_t row[kColumns];
    for (std::size_t j = 0; j < kColumns; ++j) {
      const std::int32_t above = wide[j] < lo ? lo : wide[j];
      row[j] = static_cast<std::int8_t>((above > hi ? hi : above) + zero);
    }
    CopyRow<kColumns>(row, target.num_channels, out + r * target.out_stride);
  }
}

template <std::size_t kColumns, typename Terms>
inline void StoreSums(const EpilogueTable& table, const TileTarget& target, const Terms& terms,
                      std::int32_t* tile) {
  const std::int32_t* add = table.add + target.first_channel;
  const float* scale = table.scale + target.first_channel;
  switch (table.kind) {
    case EpilogueKind::kNone: {
      auto* out = static_cast<std::int32_t*>(target.out);
      for (std::size_t r = 0; r < target.rows; ++r) {
        std::int32_t* acc = tile + r * kColumns;
        for (std::size_t j = 0; j < kColumns; ++j) {
          acc[j] = FinishedSum(acc[j], add[j], terms(r, j));
        }
        CopyRow<kColumns>(acc, target.num_channels, out + r * target.out_stride);
      }
      return;
    }
    case EpilogueKind::kDynamic:
      return StoreDynamic<kColumns>(table, target, terms, tile);
    case EpilogueKind::kStatic:
      return StoreStatic<kColumns>(table, target, terms, tile);
    case EpilogueKind::kStaticFixed:
      return StoreStaticFixed<kColumns>(table, target, terms, tile);
    case EpilogueKind::kStaticFloat: {
      alignas(64) float y[kTileRows * kColumns];
      for (std::size_t r = 0; r < target.rows; ++r) {
        const std::int32_t* acc = tile + r * kColumns;
        for (std::size_t j = 0; j < kColumns; ++j) {
          y[r * kColumns + j] =
              static_cast<float>(FinishedSum(acc[j], add[j], terms(r, j))) * scale[j];
        }
      }
      return StoreFloatTile<kColumns>(table.activation, target, y);
    }
  }
}

template <std::size_t kColumns>
inline void StoreS8Tile(const EpilogueTable& table, const TileTarget& target, std::int32_t* tile) {
  if (target.row_term == nullptr) {
    StoreSums<kColumns>(table, target, NoTerms{}, tile);
  } else if (table.row_factor == nullptr) {
    StoreSums<kColumns>(table, target, RowTerms{target.row_term}, tile);
  } else {
    const ChannelTerms terms{target.row_term, table.row_factor + target.first_channel};
    StoreSums<kColumns>(table, target, terms, tile);
  }
}

template <std::size_t kColumns>
inline void StoreF32Tile(const F32EpilogueTable& table, const TileTarget& target, float* tile) {
  const float* bias = table.bias + target.first_channel;
  const float* scale = table.scaling == F32EpilogueTable::Scaling::kNone
                           ? nullptr
                           : table.scale + target.first_channel;
  for (std::size_t r = 0; r < target.rows; ++r) {
    float* row = tile + r * kColumns;
    switch (table.scaling) {
      case F32EpilogueTable::Scaling::kNone:
        for (std::size_t j = 0; j < kColumns; ++j) row[j] = row[j] + bias[j];
        break;
      case F32EpilogueTable::Scaling::kDivide:
        for (std::size_t j = 0; j < kColumns; ++j) row[j] = row[j] / scale[j] + bias[j];
        break;
      case F32EpilogueTable::Scaling::kMultiply:
        for (std::size_t j = 0; j < kColumns; ++j) row[j] = row[j] * scale[j] + bias[j];
        break;
    }
  }
  StoreFloatTile<kColumns>(table.activation, target, tile);
}

// The scales of a tile's rows, one after another: without a division for each.
class RowScaleCursor {
 public:
  explicit RowScaleCursor(const RowScales& scales)
      : rows_per_scale_(scales.rows_per_scale), scale_(scales.scale + scales.first_row) {
    if (rows_per_scale_ == 1) return;
    scale_ = scales.scale + scales.first_row / rows_per_scale_;
    row_ = scales.first_row % rows_per_scale_;
  }
  float Next() {
    const float scale = *scale_;
    if (++row_ == rows_per_scale_) {
      row_ = 0;
      ++scale_;
    }
    return scale;
  }

 private:
  std::size_t rows_per_scale_;
  const float* scale_;
  std::size_t row_ = 0;  // of those that have this scale
};

// The plain case in as few instructions as there can be: then its divisions end while the next
// tile's products run.
template <std::size_t kColumns>
inline void StoreScaledRows(const RowScales& scales, std::size_t rows, const float* __restrict bias,
                            const float* __restrict sums, float* __restrict out,
                            std::size_t out_stride) {
  RowScaleCursor row_scales(scales);
  for (std::size_t r = 0; r < rows; ++r, sums += kColumns, out += out_stride) {
    const float row_scale = row_scales.Next();
    for (std::size_t j = 0; j < kColumns; ++j) out[j] = sums[j] / row_scale + bias[j];
  }
}

template <std::size_t kColumns>
inline void StoreScaledTile(const EpilogueTable& table, const TileTarget& target, float* sums) {
  const float* bias = table.bias + target.first_channel;
  if (target.num_channels == kColumns && target.residual == nullptr &&
      table.activation.kind == ActivationKind::kLinear) {
    return StoreScaledRows<kColumns>(target.row_scales, target.rows, bias, sums,
                                     static_cast<float*>(target.out), target.out_stride);
  }
  RowScaleCursor row_scales(target.row_scales);
  for (std::size_t r = 0; r < target.rows; ++r) {
    const float row_scale = row_scales.Next();
    float* row = sums + r * kColumns;
    for (std::size_t j = 0; j < kColumns; ++j) row[j] = row[j] / row_scale + bias[j];
  }
  StoreFloatTile<kColumns>(table.activation, target, sums);
}

}  // namespace
}  // namespace octet::kernels
