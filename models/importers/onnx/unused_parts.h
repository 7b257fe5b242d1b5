// SPDX-License-Identifier: Apache-2.0
// What was translated in more than one form, of which only one is taken.

#pragma once

#include <vector>

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"

namespace octet::onnx {

// Removes the nodes that no output depends on, the values that nothing takes then, inputs and
// outputs aside, and the layers of those nodes.
void RemoveUnusedParts(Graph& graph, std::vector<Layer>& layers);

}  // namespace octet::onnx
