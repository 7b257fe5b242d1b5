// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/graph/graph.h"

namespace octet {

// Removes the nodes that no output of the graph depends on.
void RemoveUnusedNodes(Graph& graph);

}  // namespace octet
