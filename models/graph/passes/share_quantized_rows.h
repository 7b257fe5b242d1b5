// SPDX-License-Identifier: Apache-2.0
// Quantizes rows once where several layers take them, or where they are made one by one.

#pragma once

#include "models/graph/graph.h"

namespace octet {

// The float32 input of dynamically quantized FullyConnected nodes is quantized by one QuantizeRows
// for all of them (query, key and value of an attention), in front of the first: where there are
// several, and where the rows come from a normalization or an embedding, with which a QuantizeRows
// can run while they are in the cache. The same arithmetic: no bit changes.
void ShareQuantizedRows(Graph& graph);

}  // namespace octet
