// SPDX-License-Identifier: Apache-2.0
// A part of a tensor, by start, end and step.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeSlice();

}  // namespace octet
