// SPDX-License-Identifier: Apache-2.0
// Normalization of each row.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeLayerNormalization();
std::unique_ptr<const Operator> MakeRmsNormalization();

}  // namespace octet
