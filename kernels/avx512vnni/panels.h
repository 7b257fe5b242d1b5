// SPDX-License-Identifier: Apache-2.0
// The matrix products of AVX-512. Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {

// Panels of 32 columns.
extern const S8Panels kS8Panels;    // vpdpbusd on inputs shifted by 128
extern const S4Panels kS4Panels;    // vpdpbusd with nibbles as its unsigned operand
extern const S16Panels kS16Panels;  // vpdpwssd
extern const F32Panels kF32Panels;  // FMA

}  // namespace octet::kernels::avx512vnni
