// SPDX-License-Identifier: Apache-2.0
// Broadcasting to a shape.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeExpand();

}  // namespace octet
