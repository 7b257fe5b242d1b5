// SPDX-License-Identifier: Apache-2.0
// Whether two tensors hold the same: integers exactly, floats nearly.

#pragma once

#include "absl/status/status.h"

#include "models/tensor/tensor.h"

namespace octet {

// Compares `got` with `wants`, which have one datatype and equal dimensions (precondition).
// Integers and booleans must be equal, floats lie within `tolerance` times the largest finite
// |wants|. A NaN equals a NaN only, an infinity only itself.
//
// Returns FAILED_PRECONDITION with the first element that differs and both its values;
// UNIMPLEMENTED for 16-bit float and 4-bit tensors.
absl::Status CompareTensors(const TensorView& got, const TensorView& wants, double tolerance);

// The same of what a whole model answers: int8 and uint8 elements, which may have been rounded from
// floats, lie within `tolerance` times the 255 steps of their range: equal for a tolerance below
// 1/255, as that of a model has which rounds no floats that it computed.
absl::Status CompareAnswers(const TensorView& got, const TensorView& wants, double tolerance);

}  // namespace octet
