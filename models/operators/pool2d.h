// SPDX-License-Identifier: Apache-2.0
// Maximum and average pooling.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeAveragePool2d();
std::unique_ptr<const Operator> MakeMaxPool2d();

}  // namespace octet
