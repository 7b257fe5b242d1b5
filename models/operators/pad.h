// SPDX-License-Identifier: Apache-2.0
// A border of a constant, or of the tensor's own elements.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakePad();

}  // namespace octet
