// SPDX-License-Identifier: Apache-2.0
// Softmax over one axis, with or without a mask.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeLogSoftmax();
std::unique_ptr<const Operator> MakeSoftmax();

}  // namespace octet
