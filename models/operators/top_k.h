// SPDX-License-Identifier: Apache-2.0
// The largest, or least, elements of each row, and where they were.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeTopK();

}  // namespace octet
