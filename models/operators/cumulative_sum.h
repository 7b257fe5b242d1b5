// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

// Sums along an axis up to each element, of float32, int32 or int64; integers wrap around.
std::unique_ptr<const Operator> MakeCumulativeSum();

}  // namespace octet
