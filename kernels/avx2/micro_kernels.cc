// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA.
#include "kernels/avx2/micro_kernels.h"

#include "kernels/avx2/depthwise.h"
#include "kernels/avx2/panels.h"
#include "kernels/avx2/row_sums.h"
#include "kernels/vectorized/micro_kernels.h"

namespace octet::kernels::avx2 {
namespace {

constexpr MicroKernels MakeMicroKernels(const S8Panels& s8) {
  MicroKernels micro = VectorizedMicroKernels<16>();
  micro.s8 = &s8;
  micro.f32 = &kF32Panels;
  micro.sum_rows = SumRows;
  micro.depthwise_s8 = DepthwiseS8;
  micro.depthwise_f32 = DepthwiseF32;
  return micro;
}

}  // namespace

constexpr MicroKernels kMicroKernels = MakeMicroKernels(kS8Panels);
constexpr MicroKernels kVnniMicroKernels = MakeMicroKernels(kS8VnniPanels);

}  // namespace octet::kernels::avx2
