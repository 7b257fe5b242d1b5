// SPDX-License-Identifier: Apache-2.0
// Float convolution by oneDNN. Private to this room; nothing outside this folder includes oneDNN.

#pragma once

#include <memory>
#include <string>

#include "kernels/conv2d.h"

namespace octet::kernels::onednn {

// Whether oneDNN is worth asking: below some 2 million multiplications an image its call costs
// more than it gains.
bool IsWorthwhile(const Conv2dGeometry& geometry);

// What oneDNN has for a convolution.
struct Conv2dF32Offer {
  std::unique_ptr<const Conv2dF32> kernel;  // null where it has nothing that the caller should take
  std::string refused;  // then: the slow implementation it would have used, if it had one
};

// A convolution of one image at a time; `spec` has been checked. The primitive is created here and
// never on the request path. There is none where oneDNN refuses, or would use an implementation
// called "ref" or "gemm" in a part of its name: the caller's own is better. `activate` runs where
// the activation is not linear.
//
// A run allocates nothing itself, but oneDNN's execute() makes a small map of its arguments.
Conv2dF32Offer OfferConv2dF32(const Conv2dF32Spec& spec, ActivationF32 activate);

// oneDNN's version, "3.7.2".
std::string Version();

// Keeps oneDNN from starting threads when it is called from this thread.
void UseOneThread();

}  // namespace octet::kernels::onednn
