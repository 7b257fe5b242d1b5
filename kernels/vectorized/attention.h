// SPDX-License-Identifier: Apache-2.0
// The softmax inside of an attention as loops that the compiler vectorizes. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/bf16.h"
#include "kernels/vectorized/rows.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// The largest of a row of scores, each panel's part after the other, and of `before`.
template <std::size_t kColumns>
inline float LargestScore(const AttentionScores& scores, std::size_t row, float before) {
  std::int32_t lane[kColumns];
  for (std::size_t j = 0; j < kColumns; ++j) lane[j] = OrderedBits(before);
  const float* x = scores.scores + row * kColumns;
  std::size_t left = scores.keys;
  for (; left >= kColumns; left -= kColumns, x += scores.panel_rows * kColumns) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      const std::int32_t ordered = OrderedBits(x[j]);
      lane[j] = ordered > lane[j] ? ordered : lane[j];
    }
  }
  for (std::size_t j = 0; j < left; ++j) {
    const std::int32_t ordered = OrderedBits(x[j]);
    lane[j] = ordered > lane[j] ? ordered : lane[j];
  }
  std::int32_t largest = lane[0];
  for (std::size_t j = 1; j < kColumns; ++j) largest = lane[j] > largest ? lane[j] : largest;
  return FromOrderedBits(largest);
}

// A weight as it is stored, and the float32 that it stands for.
inline float StoreWeight(float weight, float* stored) { return *stored = weight; }
inline float StoreWeight(float weight, std::uint16_t* stored) {
  const std::uint32_t bits = Bf16Bits(weight);
  *stored = static_cast<std::uint16_t>(bits);
  return BitsFloat(static_cast<std::int32_t>(bits << 16U));
}

// The weights of float32 or bfloat16; sums are those of what is stored.
template <std::size_t kColumns, typename Weight>
inline void AttentionWeights(const AttentionScores& scores, std::size_t stride, Weight* weights) {
  const float scale = scores.scale;
  float shrinks[kTileRows];
  float sums[kTileRows];
  for (std::size_t row = 0; row < scores.rows; ++row) {
    const float before = scores.largest[row];
    const float largest = LargestScore<kColumns>(scores, row, before);
    scores.largest[row] = largest;
    shrinks[row] = (before - largest) * scale;
    const float* __restrict x = scores.scores + row * kColumns;
    Weight* __restrict y = weights + row * stride;
    float lane[kColumns] = {};
    std::size_t left = scores.keys;
    for (; left >= kColumns; left -= kColumns, x += scores.panel_rows * kColumns, y += kColumns) {
      for (std::size_t j = 0; j < kColumns; ++j) {
        lane[j] += StoreWeight(Exp((x[j] - largest) * scale), y + j);
      }
    }
    for (std::size_t j = 0; j < left; ++j) {
      lane[j] += StoreWeight(Exp((x[j] - largest) * scale), y + j);
    }
    float sum = 0.0F;
    for (std::size_t j = 0; j < kColumns; ++j) sum += lane[j];
    sums[row] = sum;
  }
  for (std::size_t row = 0; row < scores.rows; ++row) {
    const float rescale = Exp(shrinks[row]);
    scores.sum[row] = scores.sum[row] * rescale + sums[row];
    scores.rescale[row] = rescale;
  }
}

}  // namespace
}  // namespace octet::kernels
