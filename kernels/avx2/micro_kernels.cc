// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "kernels/avx2/micro_kernels.h"

#include "kernels/avx2/depthwise.h"
#include "kernels/avx2/panels.h"
#include "kernels/avx2/row_sums.h"
#include "kernels/avx2/store_static.h"
#include "kernels/avx2/weight_only.h"
#include "kernels/vectorized/micro_kernels.h"

namespace octet::kernels::avx2 {
namespace {

void StoreS8(const EpilogueTable& table, const TileTarget& target, std::int32_t* tile) {
  if (table.kind == EpilogueKind::kStatic && table.row_factor == nullptr) {
    StoreStatic(table, target, 16, tile);
  } else {
    StoreS8Tile<16>(table, target, tile);
  }
}

constexpr MicroKernels MakeMicroKernels(const S8Panels& s8, const S4Panels& s4) {
  MicroKernels micro = VectorizedMicroKernels<16>();
  micro.s8 = &s8;
  micro.s4 = &s4;
  micro.s16 = &kS16Panels;
  micro.f32 = &kF32Panels;
  micro.expand_s8 = ExpandS8;
  micro.expand_s4 = ExpandS4;
  micro.multiply_few_rows_s8 = MultiplyFewRowsS8;
  micro.multiply_few_rows_s4 = MultiplyFewRowsS4;
  micro.store_s8 = StoreS8;
  micro.sum_rows = SumRows;
  micro.depthwise_s8 = DepthwiseS8;
  micro.depthwise_s16 = DepthwiseS16;
  micro.depthwise_f32 = DepthwiseF32;
  return micro;
}

}  // namespace

constexpr MicroKernels kMicroKernels = MakeMicroKernels(kS8Panels, kS4Panels);
constexpr MicroKernels kVnniMicroKernels = MakeMicroKernels(kS8VnniPanels, kS4VnniPanels);

}  // namespace octet::kernels::avx2
