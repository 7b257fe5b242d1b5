// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Moves a plain relu or relu6 into the FullyConnected, convolution or arithmetic node whose float
// result it alone uses. Both only clip, so that not a bit of the result changes.
void FuseActivation(Graph& graph);

}  // namespace octet
