// SPDX-License-Identifier: Apache-2.0
// Additions of a constant behind a layer, which are that layer's bias.

#pragma once

#include <vector>

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"

namespace octet::onnx {

// Makes an `Add` of one constant for each output channel the bias of the FullyConnected or
// convolution before it, where that has none and nobody else takes its result; exporters write
// linear layers so. The layer's record gets the bias too.
void FuseBiases(Graph& graph, std::vector<Layer>& layers);

}  // namespace octet::onnx
