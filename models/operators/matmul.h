// SPDX-License-Identifier: Apache-2.0
// The product of two activations.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeMatMul();

}  // namespace octet
