// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for AVX-512 VNNI. Private to this room.

#pragma once

#include "kernels/packed/micro_kernels.h"

namespace octet::kernels::avx512vnni {

void DepthwiseStripS8(const DepthwiseStrip& strip);

}  // namespace octet::kernels::avx512vnni
