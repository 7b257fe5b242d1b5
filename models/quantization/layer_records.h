// SPDX-License-Identifier: Apache-2.0
// The layers of a quantized bundle. Internal to models/quantization.

#pragma once

#include <vector>

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"

namespace octet {

// `layers`, brought up to date with `graph`, which was made from a graph of float layers: each
// layer whose node has an integer weight now has that weight's mode, policy and variables in
// serialized order; a batch normalization that was folded away is gone.
std::vector<Layer> QuantizedLayers(const std::vector<Layer>& layers, const Graph& graph);

}  // namespace octet
