// SPDX-License-Identifier: Apache-2.0
// In place of kernels/avx2/intrinsics.h: AVX-VNNI emulated by SIMDe.

#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512/dpbusd.h>

#undef _mm256_dpbusd_avx_epi32
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the compiler's
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)
