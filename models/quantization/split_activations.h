// SPDX-License-Identifier: Apache-2.0
// Activations in the form that quantizes best. Internal to models/quantization.

#pragma once

#include "models/graph/graph.h"

namespace octet {

// Whether `node` has no activation, or one that int8 arithmetic clips to: relu, relu6.
bool HasClippingActivation(const Node& node);

// Gives every other elementwise activation of a FullyConnected or convolution a node of its own, so
// that the values before and after it can both be calibrated.
void SplitOtherActivations(Graph& graph);

}  // namespace octet
