// SPDX-License-Identifier: Apache-2.0
// Between float32 and int8.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeDequantize();
std::unique_ptr<const Operator> MakeQuantize();
std::unique_ptr<const Operator> MakeRequantize();

}  // namespace octet
