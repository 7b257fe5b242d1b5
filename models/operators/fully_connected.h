// SPDX-License-Identifier: Apache-2.0
// Activations times a constant matrix: the dense layer in every precision.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeFullyConnected();

}  // namespace octet
