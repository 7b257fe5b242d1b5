// SPDX-License-Identifier: Apache-2.0
// What the int4 products of all sets share: what zero points take away, and the way from a group's
// sums to a tile. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/blocks_of_rows.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// sums[rows, kColumns] = what zero points take away from a group's, for rows from `row` on.
template <std::size_t kColumns>
inline void BeginS4Sums(const S4Run& run, std::size_t row, std::size_t rows, std::size_t group,
                        std::int32_t* sums) {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int32_t term = run.row_term[(row + r) * run.row_term_stride + group];
    std::int32_t* __restrict target = sums + r * kColumns;
    if (run.zero == nullptr) {
      for (std::size_t j = 0; j < kColumns; ++j) target[j] = term;
      continue;
    }
    const std::int16_t* __restrict zero = run.zero + group * kColumns;
    for (std::size_t j = 0; j < kColumns; ++j) {
      target[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(term) *
                                            static_cast<std::uint32_t>(zero[j]));
    }
  }
}

// tile += float(sums) * scale.
template <std::size_t kColumns>
inline void AddScaledS4Sums(const std::int32_t* sums, std::size_t rows, const float* scale,
                            float* tile) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      tile[r * kColumns + j] += static_cast<float>(sums[r * kColumns + j]) * scale[j];
    }
  }
}

// The products of a set that multiplies nibbles of one panel as it meets them: kMaxRows rows at a
// time.
//
// Products<kRows>::Add(lhs, lhs_stride, nibbles, size, sums) adds those of `size` inputs of kRows
// rows to sums[kRows, kColumns].
template <std::size_t kColumns, std::size_t kMaxRows, template <std::size_t> class Products>
struct NibbleProducts {
  template <std::size_t kRows>
  static void GroupSums(const S4Run& run, std::size_t row, std::size_t group, std::int32_t* sums) {
    const std::size_t first = group * run.group_padded;
    BeginS4Sums<kColumns>(run, row, kRows, group, sums);
    Products<kRows>::Add(run.lhs + row * run.lhs_stride + first, run.lhs_stride,
                         run.panel + first * kColumns / 2, run.group_padded, sums);
  }

  static void Multiply(const S4Run& run, std::int32_t* tile) {
    ForBlocksOfRows<kMaxRows>(run.rows, [&]<std::size_t kRows>(std::size_t row) {
      GroupSums<kRows>(run, row, 0, tile + row * kColumns);
    });
  }

  static void MultiplyGroups(const S4Run& run, float* tile) {
    for (std::size_t i = 0; i < run.rows * kColumns; ++i) tile[i] = 0.0F;
    ForBlocksOfRows<kMaxRows>(run.rows, [&]<std::size_t kRows>(std::size_t row) {
      for (std::size_t group = 0; group < run.num_groups; ++group) {
        alignas(64) std::int32_t sums[kRows * kColumns];
        GroupSums<kRows>(run, row, group, sums);
        AddScaledS4Sums<kColumns>(sums, kRows, run.scale + group * kColumns, tile + row * kColumns);
      }
    });
  }
};

}  // namespace
}  // namespace octet::kernels
