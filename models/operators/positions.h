// SPDX-License-Identifier: Apache-2.0
// Where along an axis an element is: what positions of an open length are looked up with.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakePositions();

}  // namespace octet
