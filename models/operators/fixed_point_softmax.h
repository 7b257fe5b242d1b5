// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

// docs/operators.md, FixedPointSoftmax.
std::unique_ptr<const Operator> MakeFixedPointSoftmax();

}  // namespace octet
