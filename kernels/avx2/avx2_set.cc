// SPDX-License-Identifier: Apache-2.0
#include "kernels/avx2/avx2_set.h"

#include "kernels/avx2/micro_kernels.h"
#include "kernels/cpu_features.h"
#include "kernels/packed/packed_set.h"

namespace octet::kernels::avx2 {
namespace {

const MicroKernels& Micro() {
  static const bool has_vnni = DetectCpuFeatures().avx_vnni;
  return has_vnni ? kVnniMicroKernels : kMicroKernels;
}

}  // namespace

constexpr KernelSet kSet = MakePackedSet<Micro>("avx2", [] { return DetectCpuFeatures().avx2; });

}  // namespace octet::kernels::avx2
