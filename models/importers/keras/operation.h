// SPDX-License-Identifier: Apache-2.0
// What the functions of keras.ops have in common.

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/keras/layer.h"

namespace octet::keras {

// The only tensor among the arguments.
absl::StatusOr<ValueId> OneTensor(const LayerCall& call);

// The axes in the option "axis" of a function of a tensor with `rank` dimensions, counted from the
// front and sorted. UNIMPLEMENTED for none and for the batch.
absl::StatusOr<std::vector<std::int64_t>> OperationAxes(const LayerCall& call, std::int64_t rank);

}  // namespace octet::keras
