// SPDX-License-Identifier: Apache-2.0
// A relu whose slope is learnt.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakePRelu();

}  // namespace octet
