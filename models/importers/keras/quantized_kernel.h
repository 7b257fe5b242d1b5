// SPDX-License-Identifier: Apache-2.0
// Kernels as training with quantization in mind leaves them.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "models/tensor/fake_quantization.h"
#include "models/tensor/tensor.h"

namespace octet::keras {

enum class KernelForm : std::uint8_t {
  kIntegers,  // int8 where all steps fit into it, else floats
  kFloats,
};

struct QuantizedKernel {
  ConstantTensor values;                // int8 or float32
  std::optional<ConstantTensor> scale;  // of int8: [last dimension]; value = integer * scale
};

// What the toolkit computes with in place of `kernel`: the same numbers in both forms. `channels`
// is one for all or one for each last index. INVALID_ARGUMENT for another count, for a kernel that
// is no floats or a scalar, and for NaN, which no integer is.
absl::StatusOr<QuantizedKernel> QuantizeTrainedKernel(const ConstantTensor& kernel,
                                                      const std::vector<FakeQuantization>& channels,
                                                      KernelForm form);

}  // namespace octet::keras
