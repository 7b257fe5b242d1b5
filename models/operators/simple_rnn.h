// SPDX-License-Identifier: Apache-2.0
// The fully connected recurrent layer.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeSimpleRnn();

}  // namespace octet
