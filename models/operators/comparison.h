// SPDX-License-Identifier: Apache-2.0
// Comparison of two broadcast tensors.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeEqual();
std::unique_ptr<const Operator> MakeGreater();
std::unique_ptr<const Operator> MakeLess();
std::unique_ptr<const Operator> MakeNotEqual();

}  // namespace octet
