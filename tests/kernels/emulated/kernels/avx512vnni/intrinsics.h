// SPDX-License-Identifier: Apache-2.0
// In place of kernels/avx512vnni/intrinsics.h: AVX-512 emulated by SIMDe.

#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
