// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for AVX2, which avx512vnni uses as well. Private to this room.

#pragma once

#include <cstdint>

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx2 {

void DepthwiseS8(const DepthwiseRun<std::int8_t>& run, const std::int16_t* filter,
                 std::int32_t* sums);
void DepthwiseS16(const DepthwiseRun<std::int16_t>& run, const std::int16_t* filter,
                  std::int32_t* sums);
void DepthwiseF32(const DepthwiseRun<float>& run, const float* filter, float* sums);

}  // namespace octet::kernels::avx2
