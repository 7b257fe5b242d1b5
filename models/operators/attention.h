// SPDX-License-Identifier: Apache-2.0
// Scaled dot-product attention with several heads, grouped or not.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeAttention();

}  // namespace octet
