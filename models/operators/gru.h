// SPDX-License-Identifier: Apache-2.0
// The gated recurrent unit.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeGru();

}  // namespace octet
