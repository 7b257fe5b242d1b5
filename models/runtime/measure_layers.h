// SPDX-License-Identifier: Apache-2.0
// Measures the layers of a graph one at a time, each cut out of it: for whoever has little memory,
// or may be called away at any moment, as a server is. It holds the weights of one layer, once for
// each way to compute it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/executable.h"
#include "models/runtime/kernel_choices.h"
#include "models/runtime/measure_choices.h"

namespace octet {

// A layer that has several implementations, none of them chosen by a measurement on this CPU.
struct UnmeasuredLayer {
  std::string node;   // the first that is such a layer
  std::string layer;  // kernels::LayerKey
};

// Those of `executable`, by `choices`, in the order of its steps. A choice that knows only some of
// the implementations that fit counts for nothing.
std::vector<UnmeasuredLayer> UnmeasuredLayers(const Executable& executable,
                                              const KernelChoices& choices);

// How many steps of `executable` would run another implementation if it was compiled with
// `choices`.
std::size_t CountChangedSteps(const Executable& executable, const KernelChoices& choices);

struct MeasureLayerOptions {
  // `budget` is the layer's. Inputs or outputs above `compile.max_arena_byte_size` are too large.
  MeasureOptions measure = {};
  // Ascending, at least one. A layer that takes too long, or too much memory, for the larger ones
  // is measured with the others alone.
  std::vector<std::int64_t> batch_sizes = {1, 16};
};

// Measures (MeasureChoices) the layer of node `node` of `graph`, with inputs that are made up, and
// adds what comes of it to `choices`. How fast integers are does not depend on their values; open
// dimensions are taken to be typical ones.
//
// Returns NOT_FOUND if there is no such node, CANCELLED if it was stopped, DEADLINE_EXCEEDED or
// RESOURCE_EXHAUSTED if even the smallest batch takes too long or too much, INVALID_ARGUMENT if the
// node is no graph by itself: its rows do not come first. Precondition: `graph` is verified, and
// the passes have run.
absl::Status MeasureLayer(const Graph& graph, const std::string& node,
                          const OperatorRegistry& operators, const kernels::KernelSet& kernels,
                          const MeasureLayerOptions& options, KernelChoices& choices);

}  // namespace octet
