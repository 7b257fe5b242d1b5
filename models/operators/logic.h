// SPDX-License-Identifier: Apache-2.0
// Logic on booleans.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeAnd();
std::unique_ptr<const Operator> MakeNot();
std::unique_ptr<const Operator> MakeOr();

}  // namespace octet
