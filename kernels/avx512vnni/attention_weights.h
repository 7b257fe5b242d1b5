// SPDX-License-Identifier: Apache-2.0
// The softmax inside of an attention, for AVX-512. Private to this room.

#pragma once

#include <cstddef>

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {

// MicroKernels::attention_weights, of panels of 32 columns.
void AttentionWeights(const AttentionScores& scores, std::size_t stride, float* weights);

}  // namespace octet::kernels::avx512vnni
