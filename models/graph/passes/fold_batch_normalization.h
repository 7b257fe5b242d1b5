// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Folds a BatchNormalization over the last axis into the FullyConnected, Conv2d, Conv3d or
// DepthwiseConv2d with float32 weights whose result it alone uses:
//   w' = w * gamma / sqrt(variance + epsilon)
//   b' = (b - mean) * gamma / sqrt(variance + epsilon) + beta
// computed in double and rounded once. The constants that replace the weight and the bias are
// called
// "<weight>/folded" and "<node>/bias". Leaves it where one of them would not be finite.
void FoldBatchNormalization(Graph& graph);

}  // namespace octet
