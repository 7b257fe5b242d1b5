// SPDX-License-Identifier: Apache-2.0
// Arithmetic on two broadcast tensors.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeAdd();
std::unique_ptr<const Operator> MakeDivide();
std::unique_ptr<const Operator> MakeMaximum();
std::unique_ptr<const Operator> MakeMinimum();
std::unique_ptr<const Operator> MakeMultiply();
std::unique_ptr<const Operator> MakePower();
std::unique_ptr<const Operator> MakeSubtract();

}  // namespace octet
