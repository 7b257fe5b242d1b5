// SPDX-License-Identifier: Apache-2.0
// ElementwiseFunction: functions of one number that are no activation.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeElementwiseFunction();

}  // namespace octet
