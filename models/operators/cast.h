// SPDX-License-Identifier: Apache-2.0
// From one datatype to another.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeCast();

}  // namespace octet
