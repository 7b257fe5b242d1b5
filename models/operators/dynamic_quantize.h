// SPDX-License-Identifier: Apache-2.0
// Float32 to uint8 with a scale and a zero point for each row of the batch, found when it comes.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeDynamicQuantize();

}  // namespace octet
