// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Puts one Attention node in place of the nodes that exporters write for it:
//
//   scores  = MatMul(Transpose(query), Transpose(key)), each input or the product times constants
//   context = Transpose(MatMul(Softmax(scores, mask?), Transpose(value)))
//
// A mask may be the softmax's, or take the weight of keys away as other frameworks write it: by a
// sum with, or a choice of, -10000 or less. So may 0 stand in for weights that are not a number.
//
// with query, key and value [N, T, heads, width]. The transposes go, and the scores are never in
// memory all at once. Sums run in another order: results change by rounding.
void FuseAttention(Graph& graph);

}  // namespace octet
