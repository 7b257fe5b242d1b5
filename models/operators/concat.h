// SPDX-License-Identifier: Apache-2.0
// Tensors joined along one axis.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConcat();

}  // namespace octet
