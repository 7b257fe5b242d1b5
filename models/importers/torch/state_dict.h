// SPDX-License-Identifier: Apache-2.0
// A PyTorch module's state dict in a safetensors file: names and tensors, no graph.

#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"

#include "models/importers/quantized_constant.h"

namespace octet::torch {

// The tensors in `file`, copied. Float ones become float32. Quantized ones are
//   - torchao's Int8Tensor and IntxUnpackedToInt8Tensor, as flatten_tensor_state_dict writes them:
//     "fc._weight_qdata", "fc._weight_scale", ... with the file's metadata saying of what kind
//     "fc.weight" is;
//   - pairs of int8 "NAME.int_data" and float "NAME.scale", one scale a row: the flattened form of
//     an Int8SymmetricTensor.
// Returns INVALID_ARGUMENT naming the tensor for parts that are missing, left over or do not fit
// each other, UNIMPLEMENTED for other kinds of tensors, and for activations whose scales are
// neither those of their rows nor one that is known; DATA_LOSS for what is no safetensors file.
absl::StatusOr<NamedWeights> ReadStateDict(std::span<const std::byte> file);

}  // namespace octet::torch
