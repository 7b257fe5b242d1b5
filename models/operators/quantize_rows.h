// SPDX-License-Identifier: Apache-2.0
// Float32 rows to int8, each with a scale of its own, for the nodes that share them.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeQuantizeRows();

}  // namespace octet
