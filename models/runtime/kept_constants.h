// SPDX-License-Identifier: Apache-2.0
// Which of a model's constants stay in memory beside the packed weights that were made of them.

#pragma once

#include "models/runtime/compiled_graph.h"

namespace octet {

// Lets go of the constants of `graph` that no step reads (Step::ReadsConstant) and that are no
// outputs: their values keep Storage::kConstant, without one. With `copies` those that stay are
// copied, each once, so that the memory that they came in can be freed.
// Precondition: everything else of `graph` is done; it is not asked for its constants again.
void KeepReadConstants(bool copies, CompiledGraph& graph);

}  // namespace octet
