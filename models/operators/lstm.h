// SPDX-License-Identifier: Apache-2.0
// The long short-term memory layer.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeLstm();

}  // namespace octet
