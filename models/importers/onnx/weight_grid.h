// SPDX-License-Identifier: Apache-2.0
// Real weights that are whole numbers times a scale.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/tensor/tensor.h"

namespace octet::onnx {

struct WeightGrid {
  std::vector<std::int64_t> integers;  // -128 to 127, in the weights' order
  std::vector<float> scale;            // for each index of the axis
};

// Integers and scales whose products in float32 are `weights`, float32, to the bit. Nothing where
// there are none, or where finding them takes more than `budget` comparisons, which are taken off
// it. Precondition: `axis` is one of the weights'.
std::optional<WeightGrid> GridOf(const ConstantTensor& weights, std::size_t axis,
                                 std::int64_t& budget);

}  // namespace octet::onnx
