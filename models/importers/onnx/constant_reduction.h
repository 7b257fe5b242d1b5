// SPDX-License-Identifier: Apache-2.0
// Sums, products and extremes of constants along axes, computed while the model is imported.

#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"
#include "models/tensor/tensor.h"

namespace octet::onnx {

// What a node reduces: its axes, rising, perhaps none, and whether they stay as axes of 1.
struct Reduction {
  std::vector<std::size_t> axes;
  bool keeps = true;
};
// Of a tensor of `rank` axes.
absl::StatusOr<Reduction> ReductionOf(NodeCall& call, std::size_t rank);

// The node's result, if it reduces a constant of whole numbers, or one without elements: of none
// the sum is 0, the product 1 and the largest the least that there is. Nothing for another node.
// Returns the node's errors, and RESOURCE_EXHAUSTED as ReserveConstant does.
absl::StatusOr<std::optional<ConstantTensor>> ReduceConstant(NodeCall& call);

}  // namespace octet::onnx
