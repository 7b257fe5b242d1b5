// SPDX-License-Identifier: Apache-2.0
// Three-dimensional convolution.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeConv3d();

}  // namespace octet
