// SPDX-License-Identifier: Apache-2.0
// A constant as a value that depends on nothing: what a model answers whatever it is asked.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConstant();

}  // namespace octet
