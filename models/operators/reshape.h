// SPDX-License-Identifier: Apache-2.0
// The same bytes under another shape.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeIdentity();
std::unique_ptr<const Operator> MakeReshape();

}  // namespace octet
