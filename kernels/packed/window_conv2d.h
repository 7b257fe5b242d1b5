// SPDX-License-Identifier: Apache-2.0
// Integer convolution whose products read their inputs where they lie. Private to this room.

#pragma once

#include <memory>

#include "kernels/conv2d.h"
#include "kernels/packed/micro_kernels.h"

namespace octet::kernels {

// Whether the set's panels for few rows can read a spec's inputs where they lie.
struct WindowFit {
  bool is_possible = false;
  bool is_usual = false;  // the fixed rule: little of a window is padding of its parts, and the set
                          // has no panels for many rows
  bool is_long = false;   // more than one tile's pixels are computed from one copy of their inputs
};

// The spec has been checked and is not depthwise.
WindowFit FitWindows(const MicroKernels& micro, const Conv2dS8Spec& spec);

// `is_short`: one tile's pixels at a time. Precondition: FitWindows says that it is possible.
std::unique_ptr<const Conv2dS8> MakeWindowConv2dS8(const MicroKernels& micro,
                                                   const Conv2dS8Spec& spec, bool is_short);
// The spec has been checked and is not depthwise. Fails where a block of outputs sees too much.
Prepared<Conv2dS16> PrepareWindowConv2dS16(const MicroKernels& micro, const Conv2dS16Spec& spec);

}  // namespace octet::kernels
