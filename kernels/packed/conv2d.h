// SPDX-License-Identifier: Apache-2.0
// Convolution on one set's micro kernels. Private to this room.

#pragma once

#include <string_view>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

Prepared<Conv2dS8> PreparePackedConv2dS8(const MicroKernels& micro, const Conv2dS8Spec& spec);
std::vector<std::string_view> PackedConv2dS8Implementations(const MicroKernels& micro,
                                                            const Conv2dS8Spec& spec);
Prepared<Conv2dS16> PreparePackedConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec);
Prepared<Conv2dF32> PreparePackedConv2dF32(const MicroKernels& micro, const Conv2dF32Spec& spec);

}  // namespace octet::kernels
