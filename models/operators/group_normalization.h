// SPDX-License-Identifier: Apache-2.0
// Normalization over groups of channels.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeGroupNormalization();

}  // namespace octet
