// SPDX-License-Identifier: Apache-2.0
// Vectors scaled to length 1.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeUnitNormalization();

}  // namespace octet
