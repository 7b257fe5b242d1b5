// SPDX-License-Identifier: Apache-2.0
// Two-dimensional convolution in float32 and int8.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConv2d();
std::unique_ptr<const Operator> MakeDepthwiseConv2d();

}  // namespace octet
