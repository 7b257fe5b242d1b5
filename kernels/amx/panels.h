// SPDX-License-Identifier: Apache-2.0
// The matrix products of AMX. Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::amx {

// Weights lie as avx512vnni::kS8Panels has them, with k padded to whole tiles.
extern const S8Panels kS8Panels;
extern const S4Panels kS4Panels;  // the same, weights unpacked from nibbles

// For attention: products of bfloat16.
extern const Bf16Panels kBf16Panels;

}  // namespace octet::kernels::amx
