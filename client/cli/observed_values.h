// SPDX-License-Identifier: Apache-2.0
// What the nodes of a model compute on given rows, as real numbers.

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"
#include "models/tensor/tensor.h"

namespace octet {

namespace kernels {
struct KernelSet;
}  // namespace kernels

namespace cli {

// What one node computes.
struct ObservedValue {
  // Of the real tensor: a value that the quantizer holds in int8 under a name of its own has the
  // name of the float value that it stands for.
  std::string name;
  std::string node;
  std::string op;
  Dims dims = {};
  std::vector<float> elements = {};  // dequantized
};

// Runs `graph` on all rows of `inputs` (in the graph's order) and returns its values in the order
// of its nodes, as they are after the passes of Executable::Compile; each name once, the first
// value that stands for it. Integers that stand for no real number, and values that do not lie in
// rows, are left out. Holds every value of every row in memory.
//
// Returns the errors of Executable::Compile and of Session::Run.
absl::StatusOr<std::vector<ObservedValue>> ObserveValues(const Graph& graph,
                                                         const OperatorRegistry& operators,
                                                         const kernels::KernelSet& kernels,
                                                         const std::vector<Tensor>& inputs);

}  // namespace cli
}  // namespace octet
