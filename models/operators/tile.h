// SPDX-License-Identifier: Apache-2.0
// A tensor repeated.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeTile();

}  // namespace octet
