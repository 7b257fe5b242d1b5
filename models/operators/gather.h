// SPDX-License-Identifier: Apache-2.0
// Rows of a table by index: an embedding, in float32, int8 or int4.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeGather();

}  // namespace octet
