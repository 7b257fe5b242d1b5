// SPDX-License-Identifier: Apache-2.0
// Activation functions as an operator of their own.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeActivation();

}  // namespace octet
