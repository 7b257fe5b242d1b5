// SPDX-License-Identifier: Apache-2.0
// What the numbers in a tensor of the file mean.

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/importers/tflite/model_file.h"
#include "models/tensor/tensor.h"

namespace octet::tflite {

// "\"logits\" INT8[1, 12]"; a type that we do not have is "type 11".
std::string Describe(const StoredTensor& tensor);

// Whether its elements are int8, uint8 or int16, or int4, and stand for real numbers.
bool IsQuantizedTensor(const StoredTensor& tensor);

// The type of the activation that a quantized tensor becomes: int16, or int8 of the others.
// Precondition: IsQuantizedTensor(tensor).
DataType ActivationType(const StoredTensor& tensor);

// What that activation stands for: uint8 less 128, its zero point too. INVALID_ARGUMENT for several
// scales, or a scale or zero point that none may have; that of int16 is 0. UNIMPLEMENTED for int4,
// of which only constants are.
// Precondition: IsQuantizedTensor(tensor).
absl::StatusOr<TensorQuantization> ActivationQuantization(const StoredTensor& tensor);

// INVALID_ARGUMENT unless a quantized weight has one scale, or one for each index of `axis`, all
// finite and above 0. Preconditions: IsQuantizedTensor(weight), `axis` is one of its dimensions.
absl::Status CheckWeightQuantization(const StoredTensor& weight, std::int64_t axis);

// The constant as it is stored, float16 and bfloat16 widened to float32, int4 to int8.
// UNIMPLEMENTED for types and forms that we do not have.
absl::StatusOr<ConstantTensor> StoredConstant(const StoredTensor& tensor);

// The real numbers that it stands for: float32, or quantized, for a tensor or each of its channels.
absl::StatusOr<ConstantTensor> RealConstant(const StoredTensor& tensor);

}  // namespace octet::tflite
