// SPDX-License-Identifier: Apache-2.0
// A choice between two tensors, element by element.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeWhere();

}  // namespace octet
