// SPDX-License-Identifier: Apache-2.0
// The table of a set's micro kernels, all but its matrix products, depthwise convolutions and
// expansion of weights. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed/micro_kernels.h"
#include "kernels/vectorized/activation.h"
#include "kernels/vectorized/attention.h"
#include "kernels/vectorized/elementwise.h"
#include "kernels/vectorized/pooling.h"
#include "kernels/vectorized/quantize.h"
#include "kernels/vectorized/rows.h"
#include "kernels/vectorized/s16_tiles.h"
#include "kernels/vectorized/tiles.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// kColumns is the width of the set's panels, integer and float.
template <std::size_t kColumns>
constexpr MicroKernels VectorizedMicroKernels() {
  MicroKernels micro = {};
  micro.store_s8 = StoreS8Tile<kColumns>;
  micro.store_f32 = StoreF32Tile<kColumns>;
  micro.store_scaled = StoreScaledTile<kColumns>;
  micro.store_s16 = StoreS16Tile<kColumns, std::int32_t>;
  micro.store_s16_total = StoreS16Tile<kColumns, double>;
  micro.add_sums = AddSums;
  micro.attention_weights = AttentionWeights<kColumns, float>;
  micro.quantize_rows_s8 = QuantizeRowsLoop;
  micro.quantize_s8 = QuantizeLoop;
  micro.dequantize_s8 = DequantizeLoop;
  micro.requantize_s8 = RequantizeLoop;
  micro.quantize_s16 = QuantizeS16Loop;
  micro.dequantize_s16 = DequantizeS16Loop;
  micro.pool2d_f32 = Pool2dF32Loop;
  micro.pool2d_s8 = Pool2dS8Loop;
  micro.pool2d_s16 = Pool2dS16Loop;
  micro.activation_f32 = ActivationLoop;
  micro.lookup_s8 = LookupLoop;
  micro.binary_f32 = BinaryLoop;
  micro.binary_s8 = BinaryIntegerLoop<std::int8_t>;
  micro.binary_fixed_s8 = BinaryFixedLoop<std::int8_t>;
  micro.binary_fixed_s16 = BinaryFixedLoop<std::int16_t>;
  micro.binary_s16 = BinaryIntegerLoop<std::int16_t>;
  micro.softmax_f32 = SoftmaxLoop;
  micro.normalize_f32 = NormalizeLoop;
  return micro;
}

}  // namespace
}  // namespace octet::kernels
