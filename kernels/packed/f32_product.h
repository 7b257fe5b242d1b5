// SPDX-License-Identifier: Apache-2.0
// A constant float, int8 or int4 matrix for float inputs, packed for one set's
// panels. Private to this room: matmul_f32 and conv2d_f32 are made of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/matmul_f32.h"
#include "kernels/packed/aligned_array.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

class F32Product {
 public:
  struct Spec {
    std::size_t k = 0;
    std::size_t n = 0;
    std::function<float(std::size_t p, std::size_t j)> weight;
    std::span<const float> bias = {};
    Activation activation = {};
    // Integer weights instead; then weight, bias and activation above are not
    // used.
    const MatmulWeightOnlySpec* weight_only = nullptr;
  };
  F32Product(const MicroKernels& micro, const Spec& spec);
  F32Product(const F32Product&) = delete;
  F32Product& operator=(const F32Product&) = delete;

  std::size_t ScratchByteSize() const;
  std::size_t PackedByteSize() const;

  struct Rows {
    const float* lhs;
    std::size_t lhs_stride;
    std::size_t count;
    const float* residual = nullptr;  // as TileTarget's, of the first row's first channel
    float* out;                       // the first row's first channel
    std::size_t out_stride;
    std::byte* scratch;
  };
  void Run(const Rows& rows) const;

 private:
  // Zero points and scales of each group of the weights.
  void MakeGroupTables(const MatmulWeightOnlySpec& spec);
  void PackIntegers(const MatmulWeightOnlySpec& spec);
  // Adds to the tiles of `num_panels` panels.
  void Multiply(const Rows& rows, std::size_t first_row, std::size_t num_rows, std::size_t panel,
                std::size_t num_panels, float* tile) const;
  // The same for at most kFewRows rows of integer weights.
  void MultiplyFewRows(const Rows& rows, std::size_t first_row, std::size_t num_rows,
                       std::size_t panel, std::size_t num_panels, float* tile) const;
  // Rows [begin, end) along k of a panel, as floats.
  void Expand(std::size_t panel, std::size_t begin, std::size_t end, float* out) const;

  const MicroKernels& micro_;
  const std::size_t k_;
  const std::size_t n_;
  const std::size_t columns_;
  const std::size_t num_panels_;
  const Activation activation_;
  AlignedArray<float> bias_;    // padded
  AlignedArray<float> weight_;  // [panels, k, columns]
  std::size_t group_size_ = 0;  // integer weights; k where there is one scale a channel
  std::size_t num_groups_ = 0;
  bool has_zero_points_ = false;  // of integer weights; without, zero_ is nibble_bias_
  int nibble_bias_ = 0;
  AlignedArray<std::int8_t> bytes_;     // 8-bit weights, [panels, k, columns]
  AlignedArray<std::uint8_t> nibbles_;  // 4-bit weights, as MicroKernels::expand_s4 has them
  AlignedArray<float> zero_;            // [panels, groups, columns], of what is kept
  AlignedArray<float> group_scale_;     // the same; 1 where the scale is applied to the sum
  AlignedArray<float> scale_;           // padded; one scale a channel
  F32EpilogueTable::Scaling scaling_ = F32EpilogueTable::Scaling::kNone;
};

}  // namespace octet::kernels
