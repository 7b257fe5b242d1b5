// SPDX-License-Identifier: Apache-2.0
// The fully connected layer of int16 inputs on one set's micro kernels. Private to this room.

#pragma once

#include "kernels/matmul_s16.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

Prepared<MatmulS16> PreparePackedMatmulS16(const MicroKernels& micro, const MatmulS16Spec& spec);

}  // namespace octet::kernels
