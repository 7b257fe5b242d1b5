// SPDX-License-Identifier: Apache-2.0
// Axes in another order.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeTranspose();

}  // namespace octet
