// SPDX-License-Identifier: Apache-2.0
// Real numbers on the grid of integers, without becoming integers.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeFakeQuantize();

}  // namespace octet
