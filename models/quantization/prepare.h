// SPDX-License-Identifier: Apache-2.0
// Brings a float graph into the form that quantizes best. Internal to models/quantization.

#pragma once

#include "models/graph/graph.h"

namespace octet {

// Whether `node` has no activation, or one that int8 arithmetic clips to: relu, relu6.
bool HasClippingActivation(const Node& node);

// Folds each BatchNormalization over the last axis into the FullyConnected or convolution before
// it, if nothing else uses that one's result:
//   w' = w * gamma / sqrt(variance + epsilon)
//   b' = (b - mean) * gamma / sqrt(variance + epsilon) + beta
void FoldBatchNormalizations(Graph& graph);

// Moves a relu or relu6 that alone uses the result of a FullyConnected, a convolution or an Add
// into that node.
void FuseClippingActivations(Graph& graph);

// Gives every other elementwise activation of a FullyConnected or convolution a node of its own, so
// that the values before and after it can both be calibrated.
void SplitOtherActivations(Graph& graph);

}  // namespace octet
