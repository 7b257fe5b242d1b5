// SPDX-License-Identifier: Apache-2.0
// Adds a residual inside the fully connected layer that it is added to.

#pragma once

#include "models/graph/graph.h"

namespace octet {

// A linear Add of a FullyConnected's float32 result, used only there, and another activation of the
// same shape becomes the layer's input `residual`. The same sums in the same order: no bit changes.
void FuseResidual(Graph& graph);

}  // namespace octet
