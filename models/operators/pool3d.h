// SPDX-License-Identifier: Apache-2.0
// Maximum and average pooling over volumes.

#pragma once

#include <memory>

#include "models/graph/operator.h"

namespace octet {

std::unique_ptr<const Operator> MakeMaxPool3d();
std::unique_ptr<const Operator> MakeAveragePool3d();

}  // namespace octet
