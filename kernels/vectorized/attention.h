// SPDX-License-Identifier: Apache-2.0
// The softmax inside of an attention as loops that the compiler vectorizes. Private to this room.

#pragma once

#include <cstddef>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/rows.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// The largest of a row of scores, each panel's part after the other.
template <std::size_t kColumns>
inline float LargestScore(const AttentionScores& scores, std::size_t row) {
  std::int32_t lane[kColumns];
  for (std::size_t j = 0; j < kColumns; ++j) lane[j] = static_cast<std::int32_t>(0x80000000U);
  const float* x = scores.scores + row * kColumns;
  std::size_t left = scores.keys;
  for (; left >= kColumns; left -= kColumns, x += scores.rows * kColumns) {
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

template <std::size_t kColumns>
inline void AttentionWeights(const AttentionScores& scores) {
  const float scale = scores.scale;
  for (std::size_t row = 0; row < scores.rows; ++row) {
    const float largest = LargestScore<kColumns>(scores, row);
    const float* x = scores.scores + row * kColumns;
    float* y = scores.weights + row * scores.keys;
    float lane[kColumns] = {};
    std::size_t left = scores.keys;
    for (; left >= kColumns; left -= kColumns, x += scores.rows * kColumns, y += kColumns) {
      for (std::size_t j = 0; j < kColumns; ++j) {
        const float weight = Exp((x[j] - largest) * scale);
        y[j] = weight;
        lane[j] += weight;
      }
    }
    for (std::size_t j = 0; j < left; ++j) {
      const float weight = Exp((x[j] - largest) * scale);
      y[j] = weight;
      lane[j] += weight;
    }
    float sum = 0.0F;
    for (std::size_t j = 0; j < kColumns; ++j) sum += lane[j];
    scores.sum[row] = sum;
  }
}

}  // namespace
}  // namespace octet::kernels
