// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/emulated_sets.h"

#include <array>
#include <span>

#include "kernels/avx2/micro_kernels.h"
#include "kernels/cpu_features.h"
#include "kernels/packed/packed_set.h"

namespace octet::kernels {

// The sources of these sets, compiled a second time in other namespaces: CMakeLists.txt.
namespace avx2_emulated {
extern const S8Panels kS8VnniPanels;
extern const S4Panels kS4VnniPanels;
}  // namespace avx2_emulated
namespace avx512vnni_emulated {
extern const MicroKernels kMicroKernels;
}  // namespace avx512vnni_emulated
namespace amx_emulated {
extern const S8Panels kS8Panels;
extern const S4Panels kS4Panels;
extern const Bf16Panels kBf16Panels;
}  // namespace amx_emulated

namespace {

const MicroKernels& AvxVnni() {
  static const MicroKernels micro = [] {
    MicroKernels kernels = avx2::kMicroKernels;
    kernels.s8 = &avx2_emulated::kS8VnniPanels;
    kernels.s4 = &avx2_emulated::kS4VnniPanels;
    return kernels;
  }();
  return micro;
}

const MicroKernels& Avx512Vnni() { return avx512vnni_emulated::kMicroKernels; }

const MicroKernels& Amx() {
  static const MicroKernels micro = [] {
    MicroKernels kernels = avx512vnni_emulated::kMicroKernels;
    kernels.s8_many_rows = &amx_emulated::kS8Panels;
    kernels.s4_many_rows = &amx_emulated::kS4Panels;
    kernels.many_rows_from = 4;
    kernels.bf16 = &amx_emulated::kBf16Panels;
    return kernels;
  }();
  return micro;
}

// The emulation itself is compiled for AVX2.
bool RunsHere() { return DetectCpuFeatures().avx2; }

constexpr KernelSet kAvxVnniSet = MakePackedSet<AvxVnni>("avx_vnni_emulated", RunsHere);
constexpr KernelSet kAvx512VnniSet = MakePackedSet<Avx512Vnni>("avx512vnni_emulated", RunsHere);
constexpr KernelSet kAmxSet = MakePackedSet<Amx>("amx_emulated", RunsHere);
constexpr std::array<const KernelSet*, 3> kSets = {&kAvxVnniSet, &kAvx512VnniSet, &kAmxSet};

}  // namespace

std::span<const KernelSet* const> EmulatedKernelSets() { return kSets; }

}  // namespace octet::kernels
