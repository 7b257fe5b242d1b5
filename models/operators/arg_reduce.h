// SPDX-License-Identifier: Apache-2.0
// Where along an axis the largest, or least, element is.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeArgReduce();

}  // namespace octet
