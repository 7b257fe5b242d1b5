// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Puts one Attention node in place of the nodes that exporters write for it:
//
//   scores  = MatMul(Transpose(query), Transpose(key)), each input or the product times constants
//   context = Transpose(MatMul(Softmax(scores, mask?), Transpose(value)))
//
// with query, key and value [N, T, heads, width]. The transposes go, and the scores are never in
// memory all at once. Sums run in another order: results change by rounding.
void FuseAttention(Graph& graph);

}  // namespace octet
