// SPDX-License-Identifier: Apache-2.0
// A graph run once on the reference kernels, off the request path: the truth for all others.

#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

// What `graph` answers to `inputs`, in the graph's order: a tensor for each output. Returns the
// errors of Executable::Compile and of Session's Create and Run.
absl::StatusOr<std::vector<Tensor>> RunOnReference(const Graph& graph,
                                                   const OperatorRegistry& operators,
                                                   std::span<const Tensor> inputs);

}  // namespace octet
