// SPDX-License-Identifier: Apache-2.0
// Inputs that are made up, to measure with: how fast a model is depends little on their values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/graph.h"
#include "models/tensor/tensor.h"

namespace octet {

// A tensor of each of `types`, the same ones each time: noise in -1 to 1 in floats, in all of their
// range in 8-bit and 16-bit integers, zeros in others, which are indices. There are `num_symbols`
// symbols; open dimensions other than rows are taken to be kTypicalSymbol.
// Returns RESOURCE_EXHAUSTED if one had more than `max_byte_size`.
absl::StatusOr<std::vector<Tensor>> MakeSyntheticInputs(std::span<const TensorType> types,
                                                        std::size_t num_symbols, std::int64_t rows,
                                                        std::size_t max_byte_size);

}  // namespace octet
