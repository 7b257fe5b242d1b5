// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet::onnx {

// Puts a choice between 0 and a number in place of `(1 - mask) * number` with a number of -1000 or
// less and whole numbers as the mask: what transformers add to their scores. A mask is 0 or 1, as
// ONNX Runtime has it too when it joins such nodes to an attention.
void ReplaceMaskNumbers(Graph& graph);

}  // namespace octet::onnx
