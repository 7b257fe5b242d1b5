// SPDX-License-Identifier: Apache-2.0
// The matrix products of AVX2. Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx2 {

// Panels of 16 columns.
extern const S8Panels kS8Panels;      // vpmaddwd on 16-bit inputs: never saturates
extern const S8Panels kS8VnniPanels;  // AVX-VNNI's vpdpbusd
extern const S4Panels kS4Panels;      // vpmaddubsw, which nibbles cannot saturate
extern const S4Panels kS4VnniPanels;  // AVX-VNNI's vpdpbusd
extern const S16Panels kS16Panels;    // vpmaddwd
extern const F32Panels kF32Panels;    // FMA

}  // namespace octet::kernels::avx2
