// SPDX-License-Identifier: Apache-2.0
// Convolution of int16 images on one set's micro kernels. Private to this room.

#pragma once

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

Prepared<Conv2dS16> PreparePackedConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec);

}  // namespace octet::kernels
