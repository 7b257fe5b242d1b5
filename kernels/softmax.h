// SPDX-License-Identifier: Apache-2.0
// Softmax over the last axis.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet::kernels {

enum class SoftmaxKind : std::uint8_t { kSoftmax, kLogSoftmax };

struct SoftmaxShape {
  std::size_t num_rows = 0;
  std::size_t row_size = 1;  // at least 1
};

// softmax: exp(x - max) / sum; log_softmax: (x - max) - log(sum); each row for
// itself. in and out hold num_rows * row_size values and may be the same
// memory. A row of nothing but -infinity gives equal probabilities. Within 1e-6
// of the exact value on every set.
using SoftmaxF32 = void (*)(SoftmaxKind kind, const SoftmaxShape& shape, std::span<const float> in,
                            std::span<float> out);

}  // namespace octet::kernels
