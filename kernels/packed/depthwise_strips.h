// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution from int8 to int8 on a set's strips. Private to this room.

#pragma once

#include <memory>

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// Whether strips can compute a depthwise convolution.
bool FitsStrips(const MicroKernels& micro, const Conv2dS8Spec& spec);

// The spec has been checked and fits strips.
std::unique_ptr<const Conv2dS8> MakeStripDepthwiseConv2dS8(const MicroKernels& micro,
                                                           const Conv2dS8Spec& spec);

}  // namespace octet::kernels
