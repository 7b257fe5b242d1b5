// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

// Slices of x, of any type, whose places are given by several indices each.
std::unique_ptr<const Operator> MakeGatherNd();

}  // namespace octet
