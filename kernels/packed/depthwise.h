// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on one set's micro kernels. Private to this room.

#pragma once

#include <memory>
#include <string>

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// Each input channel is a group of its own. One channel alone is an ordinary
// convolution.
inline bool IsDepthwise(const Conv2dGeometry& g) {
  return g.groups == g.in_channels && g.groups > 1;
}

// The spec has been checked.
std::unique_ptr<const Conv2dS8> MakeDepthwiseConv2dS8(const MicroKernels& micro,
                                                      const Conv2dS8Spec& spec);
std::unique_ptr<const Conv2dS16> MakeDepthwiseConv2dS16(const MicroKernels& micro,
                                                        const Conv2dS16Spec& spec);
// `note` is added to the provider's name.
std::unique_ptr<const Conv2dF32> MakeDepthwiseConv2dF32(const MicroKernels& micro,
                                                        const Conv2dF32Spec& spec,
                                                        const std::string& note);

}  // namespace octet::kernels
