// SPDX-License-Identifier: Apache-2.0
// Quantizes the weights of a float graph in place. Internal to models/quantization.

#pragma once

#include "absl/status/status.h"

#include "models/graph/graph.h"
#include "models/quantization/quantize.h"

namespace octet {

// Gives every FullyConnected, convolution and Gather with a plain float weight the integer weight
// that `mode` demands (not kInt8Static). A weight that is stored by outputs keeps its rows, with
// one scale each, and where a Gather looks up in it, too (a tied embedding), both share the
// integers. Returns INVALID_ARGUMENT naming the node for weights that are not finite.
absl::Status QuantizeWeights(Graph& graph, QuantizationMode mode);

// The same for embeddings alone: those of a static graph.
absl::Status QuantizeEmbeddings(Graph& graph, int bits);

}  // namespace octet
