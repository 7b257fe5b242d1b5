// SPDX-License-Identifier: Apache-2.0
// Convolution of bytes with a constant filter of bytes, summed in int32.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeIntegerConv2d();

}  // namespace octet
