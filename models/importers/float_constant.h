// SPDX-License-Identifier: Apache-2.0
// Constants of any number type as float32.

#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "models/tensor/tensor.h"

namespace octet {

// The value whose IEEE binary16 and bfloat16 encoding `bits` is: exact.
float FromFloat16(std::uint16_t bits);
float FromBfloat16(std::uint16_t bits);

// `tensor` as float32. Returns INVALID_ARGUMENT for a type that is no number.
absl::StatusOr<ConstantTensor> WidenToFloat(const ConstantTensor& tensor);

}  // namespace octet
