// SPDX-License-Identifier: Apache-2.0
// The self-test that a bundle carries: what the reference kernels answer.

#pragma once

#include <vector>

#include "absl/status/statusor.h"

#include "models/bundle/bundle.h"
#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

// Runs `graph` on `inputs` (in the graph's order, at least 4 rows) with the reference kernels. The
// tolerance of float outputs is 1e-4, and 1e-2 where floats that were computed are rounded to
// integers on the way: another order of summation may round one of them the other way. Where many
// such layers follow each other it is three times what a change in the last bits of the graph's
// vectors does to these outputs, to 0.2 at most.
// Returns INVALID_ARGUMENT for inputs that do not fit; the errors of Executable::Compile.
absl::StatusOr<SelfTest> MakeSelfTest(const Graph& graph, const OperatorRegistry& operators,
                                      std::vector<Tensor> inputs);

}  // namespace octet
