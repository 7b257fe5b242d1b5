// SPDX-License-Identifier: Apache-2.0
// Mean, sum, product, maximum, minimum and any over axes.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeReduce();
std::unique_ptr<const Operator> MakeReduceAny();

}  // namespace octet
