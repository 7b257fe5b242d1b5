// SPDX-License-Identifier: Apache-2.0
// Which instructions this CPU has and the operating system lets us use.

#pragma once

#include <string>

namespace octet::kernels {

struct CpuFeatures {
  bool avx2 = false;         // AVX2, FMA and F16C
  bool avx_vnni = false;     // VEX-encoded vpdpbusd
  bool avx512_vnni = false;  // AVX-512 F, BW, DQ, VL and VNNI
  bool amx_int8 = false;     // AMX tiles with int8; says nothing about the kernel's permission
  bool amx_bf16 = false;     // the same with bfloat16
};

// Asks the CPU (cpuid) and the operating system (xgetbv). Cheap, no state.
CpuFeatures DetectCpuFeatures();

// This CPU's model, as far as it decides what is fast: "AMD EPYC 9554 64-Core Processor, family 25,
// model 17, stepping 1". Printable ASCII; a hypervisor may say what it likes.
std::string CpuName();

// Asks Linux once for this process's permission to use AMX tiles. Must have
// returned true before the first tile instruction, and covers threads started
// later. Returns false where refused.
bool RequestAmxPermission();

}  // namespace octet::kernels
