// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Puts one LayerNormalization in place of the nodes that exporters write for it:
//
//   centred = x - mean(x)
//   centred / sqrt(mean(centred * centred) + epsilon) * gamma + beta
//
// with means over the last axis. gamma, or both it and beta, may be absent; they are constants.
// Results change by rounding.
void FuseLayerNormalization(Graph& graph);

}  // namespace octet
