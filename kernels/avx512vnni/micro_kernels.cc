// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX-512 F, BW, DQ, VL and VNNI.
#include "kernels/avx512vnni/micro_kernels.h"

#include "kernels/avx2/depthwise.h"
#include "kernels/avx2/row_sums.h"
#include "kernels/avx2/store_static.h"
#include "kernels/avx2/weight_only.h"
#include "kernels/avx512vnni/attention_weights.h"
#include "kernels/avx512vnni/depthwise.h"
#include "kernels/avx512vnni/panels.h"
#include "kernels/avx512vnni/row_quantize.h"
#include "kernels/vectorized/micro_kernels.h"

namespace octet::kernels::avx512vnni {
namespace {

void StoreS8(const EpilogueTable& table, const TileTarget& target, std::int32_t* tile) {
  if (table.kind == EpilogueKind::kStatic && table.row_factor == nullptr) {
    avx2::StoreStatic(table, target, 32, tile);
  } else {
    StoreS8Tile<32>(table, target, tile);
  }
}

constexpr MicroKernels MakeMicroKernels() {
  MicroKernels micro = VectorizedMicroKernels<32>();
  micro.s8 = &kS8Panels;
  micro.s4 = &kS4Panels;
  micro.s16 = &kS16Panels;
  micro.f32 = &kF32Panels;
  micro.expand_s8 = avx2::ExpandS8;
  micro.expand_s4 = avx2::ExpandS4;
  micro.multiply_few_rows_s8 = avx2::MultiplyFewRowsS8;
  micro.multiply_few_rows_s4 = avx2::MultiplyFewRowsS4;
  micro.store_s8 = StoreS8;
  micro.sum_rows = avx2::SumRows;
  micro.quantize_rows_s8 = QuantizeRows;
  micro.attention_weights = AttentionWeights;
  micro.depthwise_s8 = avx2::DepthwiseS8;
  micro.depthwise_strip_s8 = DepthwiseStripS8;
  micro.depthwise_s16 = avx2::DepthwiseS16;
  micro.depthwise_f32 = avx2::DepthwiseF32;
  return micro;
}

}  // namespace

constexpr MicroKernels kMicroKernels = MakeMicroKernels();

}  // namespace octet::kernels::avx512vnni
