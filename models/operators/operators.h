// SPDX-License-Identifier: Apache-2.0
// Every operator there is.

#pragma once

#include "models/graph/operator_registry.h"

namespace octet {

// A registry of all operators in docs/operators.md. Built once in main() and passed by reference.
OperatorRegistry BuiltInOperators();

}  // namespace octet
