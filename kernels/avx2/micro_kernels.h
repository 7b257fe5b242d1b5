// SPDX-License-Identifier: Apache-2.0
// Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx2 {

extern const MicroKernels kMicroKernels;
extern const MicroKernels kVnniMicroKernels;  // where the CPU has AVX-VNNI

}  // namespace octet::kernels::avx2
