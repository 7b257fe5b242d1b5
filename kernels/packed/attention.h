// SPDX-License-Identifier: Apache-2.0
// Attention on one set's micro kernels. Private to this room.

#pragma once

#include <cstddef>

#include "kernels/attention.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

void RunAttentionF32(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                     const float* key, const float* value, float* out, std::byte* scratch);
std::size_t PackedAttentionF32ScratchByteSize(const MicroKernels& micro,
                                              const AttentionShape& shape);

// Precondition: micro.bf16 is not null.
void RunAttentionBf16(const MicroKernels& micro, const AttentionShape& shape, const float* query,
                      const float* key, const float* value, float* out, std::byte* scratch);
std::size_t PackedAttentionBf16ScratchByteSize(const MicroKernels& micro,
                                               const AttentionShape& shape);

}  // namespace octet::kernels
