// SPDX-License-Identifier: Apache-2.0
// The layers of a quantized bundle. Internal to models/quantization.

#pragma once

#include <vector>

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"

namespace octet {

// `layers`, brought up to date with `graph`, which was made from a graph of float layers: each
// layer whose nodes have integer weights now has their mode, policy and variables in serialized
// order; a table that no node uses is left out of it, and a batch normalization that was folded
// away is gone.
std::vector<Layer> QuantizedLayers(const std::vector<Layer>& layers, const Graph& graph);

}  // namespace octet
