// SPDX-License-Identifier: Apache-2.0
// Int8 tensors whose bytes stay and whose meaning does not: other scales and zero points, or none.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeReinterpret();

}  // namespace octet
