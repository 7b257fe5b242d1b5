// SPDX-License-Identifier: Apache-2.0
// Normalization of channels by stored statistics.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeBatchNormalization();

}  // namespace octet
