// SPDX-License-Identifier: Apache-2.0
// Int8 convolution whose products read their inputs where they lie. Private to this room.

#pragma once

#include <memory>

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// Null where the set's panels want inputs as rows, or too much of a window would be padding of its
// parts. The spec has been checked and is not depthwise.
std::unique_ptr<const Conv2dS8> MakeWindowConv2dS8(const MicroKernels& micro,
                                                   const Conv2dS8Spec& spec);

}  // namespace octet::kernels
