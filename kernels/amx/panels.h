// SPDX-License-Identifier: Apache-2.0
// The int8 matrix product of AMX. Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::amx {

// Weights lie as avx512vnni::kS8Panels has them, with k padded to whole tiles.
extern const S8Panels kS8Panels;
extern const S4Panels kS4Panels;  // the same, weights unpacked from nibbles

}  // namespace octet::kernels::amx
