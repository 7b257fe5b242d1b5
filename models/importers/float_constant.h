// SPDX-License-Identifier: Apache-2.0
// Constants of any number type as float32.

#pragma once

#include "absl/status/statusor.h"

#include "models/tensor/tensor.h"

namespace octet {

// `tensor` as float32. Returns INVALID_ARGUMENT for a type that is no number.
absl::StatusOr<ConstantTensor> WidenToFloat(const ConstantTensor& tensor);

}  // namespace octet
