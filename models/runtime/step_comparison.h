// SPDX-License-Identifier: Apache-2.0
// Whether the kernels chosen for this machine compute what the reference kernels compute.

#pragma once

#include <span>

#include "absl/status/status.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/executable.h"
#include "models/tensor/tensor.h"

namespace octet {

// Runs each step of `chosen` and of `reference`, which were compiled from one graph for two kernel
// sets, on what the steps of `reference` before it computed from `inputs`: so a difference is seen
// where it arises and does not grow. Integers must be equal, and so must the floats of a step that
// is exact (Step::is_exact); others lie within `tolerance`, or Step::reduced_tolerance() if that is
// more, times the largest one of their tensor.
// At load only: it keeps every intermediate tensor.
//
// Returns FAILED_PRECONDITION naming the node, both kernels and the first element that differs;
// INVALID_ARGUMENT if the inputs do not fit the signature or the two were not compiled from one
// graph; RESOURCE_EXHAUSTED if a step would need more memory than CompileOptions allows.
absl::Status CompareSteps(const Executable& chosen, const Executable& reference,
                          std::span<const Tensor> inputs, double tolerance);

// The same against the reference kernels, for which it compiles `graph`, that `chosen` was compiled
// from. Passes at once if `chosen` runs on the reference kernels itself.
absl::Status CompareStepsWithReference(const Executable& chosen, const Graph& graph,
                                       const OperatorRegistry& operators,
                                       std::span<const Tensor> inputs, double tolerance);

}  // namespace octet
