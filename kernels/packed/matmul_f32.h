// SPDX-License-Identifier: Apache-2.0
// Float matrix products on one set's micro kernels. Private to this room.

#pragma once

#include <cstddef>
#include <span>

#include "kernels/matmul_f32.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

Prepared<MatmulF32> PreparePackedMatmulF32(const MicroKernels& micro, const MatmulF32Spec& spec);
Prepared<MatmulF32> PreparePackedMatmulWeightOnly(const MicroKernels& micro,
                                                  const MatmulWeightOnlySpec& spec);
void RunBatchedMatmulF32(const MicroKernels& micro, const BatchedMatmulF32Shape& shape,
                         const float* lhs, const float* rhs, float* out, std::byte* scratch);
std::size_t PackedBatchedMatmulF32ScratchByteSize(const MicroKernels& micro,
                                                  const BatchedMatmulF32Shape& shape);

}  // namespace octet::kernels
