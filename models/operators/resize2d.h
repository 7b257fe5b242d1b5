// SPDX-License-Identifier: Apache-2.0
// Images to another size.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeResize2d();

}  // namespace octet
