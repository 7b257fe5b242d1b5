// SPDX-License-Identifier: Apache-2.0
// A constant border.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakePad();

}  // namespace octet
