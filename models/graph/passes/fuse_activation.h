// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Each moves Activation nodes into the FullyConnected, convolution or arithmetic node whose float
// result they alone use. Not a bit of the result changes: the same formula is computed, but while
// the values are still in registers or in the nearest cache.

// Any activation that is computed element by element.
void FuseActivation(Graph& graph);
// Only a plain relu or relu6, which int8 arithmetic has as bounds.
void FuseClip(Graph& graph);

}  // namespace octet
