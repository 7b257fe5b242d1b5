// SPDX-License-Identifier: Apache-2.0
// Bytes times a constant matrix of bytes, summed in int32.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeIntegerMatMul();

}  // namespace octet
