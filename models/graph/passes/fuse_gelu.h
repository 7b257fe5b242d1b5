// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Puts one Activation in place of the nodes that exporters write for gelu:
//
//   0.5 * x * (1 + erf(x / sqrt(2)))
//   0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))
//
// with the factors in any order. Results change by rounding.
void FuseGelu(Graph& graph);

}  // namespace octet
