// SPDX-License-Identifier: Apache-2.0
#include "kernels/avx512vnni/avx512vnni_set.h"

#include "kernels/avx512vnni/micro_kernels.h"
#include "kernels/cpu_features.h"
#include "kernels/packed/packed_set.h"

namespace octet::kernels::avx512vnni {
namespace {

const MicroKernels& Micro() { return kMicroKernels; }

}  // namespace

constexpr KernelSet kSet =
    MakePackedSet<Micro>("avx512vnni", [] { return DetectCpuFeatures().avx512_vnni; });

}  // namespace octet::kernels::avx512vnni
