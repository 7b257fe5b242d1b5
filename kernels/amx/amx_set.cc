// SPDX-License-Identifier: Apache-2.0
#include "kernels/amx/amx_set.h"

#include "kernels/amx/panels.h"
#include "kernels/avx512vnni/micro_kernels.h"
#include "kernels/cpu_features.h"
#include "kernels/packed/packed_set.h"

namespace octet::kernels::amx {
namespace {

// AVX-512's kernels, but for integer products of at least four rows: a tile has sixteen, and with
// fewer than four used vpdpbusd is faster.
const MicroKernels& Micro() {
  static const MicroKernels micro = [] {
    MicroKernels kernels = avx512vnni::kMicroKernels;
    kernels.s8_many_rows = &kS8Panels;
    kernels.s4_many_rows = &kS4Panels;
    kernels.many_rows_from = 4;
    if (DetectCpuFeatures().amx_bf16) kernels.bf16 = &kBf16Panels;
    return kernels;
  }();
  return micro;
}

bool RunsHere() {
  static const bool runs_here = DetectCpuFeatures().amx_int8 && RequestAmxPermission();
  return runs_here;
}

}  // namespace

constexpr KernelSet kSet = MakePackedSet<Micro>("amx", RunsHere);

}  // namespace octet::kernels::amx
