// SPDX-License-Identifier: Apache-2.0
// Normalization of rows.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace octet::kernels {

enum class NormalizationKind : std::uint8_t {
  kLayer,  // (x - mean) / sqrt(variance + epsilon) * gamma + beta, variance of
           // the population
  kRms,    // x / sqrt(mean of x^2 + epsilon) * gamma
};

struct NormalizationShape {
  std::size_t num_rows = 0;
  std::size_t row_size = 1;  // at least 1
};

// in and out hold num_rows * row_size values and may be the same memory; gamma
// and beta hold row_size values or nothing (1 and 0). Within 1e-5 of the exact
// value relative to the row's largest: mean and variance are taken in two
// passes, in float32 with several partial sums.
using NormalizeF32 = void (*)(NormalizationKind kind, const NormalizationShape& shape,
                              float epsilon, std::span<const float> in,
                              std::span<const float> gamma, std::span<const float> beta,
                              std::span<float> out);

}  // namespace octet::kernels
