// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

// Elements of x, of any type, whose places along one axis are given for each element of the result.
std::unique_ptr<const Operator> MakeGatherElements();

}  // namespace octet
