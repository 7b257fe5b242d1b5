// SPDX-License-Identifier: Apache-2.0
// Rewrites that make a graph faster to run and change no integer result.

#pragma once

#include <span>

#include "absl/strings/string_view.h"

#include "models/graph/graph.h"

namespace octet {

struct Pass {
  absl::string_view name;
  absl::string_view purpose;
  // Takes a verified graph and leaves one that verifies, with the same inputs and outputs. Removes
  // nodes, never values, and adds values only at the end: ids keep their meaning.
  void (*run)(Graph& graph);
};

// All passes, in the order in which they run.
std::span<const Pass> AllPasses();

// Runs them all. Precondition: `graph` is verified; verify it again before it is run.
void RunPasses(Graph& graph);

}  // namespace octet
