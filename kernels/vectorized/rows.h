// SPDX-License-Identifier: Apache-2.0
// Softmax and normalization of rows as loops that the compiler vectorizes.
// Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/elementary.h"
#include "kernels/normalization.h"
#include "kernels/softmax.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

constexpr std::size_t kSumLanes = 32;

// The sum of term(i) for i in [0, size), in kSumLanes partial sums, so that it
// vectorizes.
template <typename Term>
inline float SumTerms(std::size_t size, const Term& term) {
  float lane[kSumLanes] = {};
  std::size_t i = 0;
  for (; i + kSumLanes <= size; i += kSumLanes) {
    for (std::size_t j = 0; j < kSumLanes; ++j) lane[j] += term(i + j);
  }
  float sum = 0.0F;
  for (; i < size; ++i) sum += term(i);
  for (std::size_t width = kSumLanes / 2; width > 0; width /= 2) {
    for (std::size_t j = 0; j < width; ++j) lane[j] += lane[j + width];
  }
  return sum + lane[0];
}

// Floats as integers that are ordered like them, and back: their maximum vectorizes.
inline std::int32_t OrderedBits(float x) {
  const std::int32_t bits = FloatBits(x);
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}
inline float FromOrderedBits(std::int32_t ordered) {
  return BitsFloat(ordered ^ ((ordered >> 31) & 0x7FFFFFFF));
}

inline float LargestOf(const float* x, std::size_t size) {
  std::int32_t largest = static_cast<std::int32_t>(0x80000000U);
  for (std::size_t i = 0; i < size; ++i) {
    const std::int32_t ordered = OrderedBits(x[i]);
    largest = ordered > largest ? ordered : largest;
  }
  return FromOrderedBits(largest);
}

inline void SoftmaxLoop(SoftmaxKind kind, const SoftmaxShape& shape, std::span<const float> in,
                        std::span<float> out) {
  const std::size_t size = shape.row_size;
  for (std::size_t r = 0; r < shape.num_rows; ++r) {
    const float* x = in.data() + r * size;
    float* y = out.data() + r * size;
    const float largest = LargestOf(x, size);
    if (largest == -kInfinity) {
      // Everything is excluded: equal probabilities.
      for (std::size_t i = 0; i < size; ++i) y[i] = 0.0F;
    } else {
      for (std::size_t i = 0; i < size; ++i) y[i] = x[i] - largest;
    }
    if (kind == SoftmaxKind::kLogSoftmax) {
      const float sum = SumTerms(size, [y](std::size_t i) { return Exp(y[i]); });
      const float log_sum = Log(sum);
      for (std::size_t i = 0; i < size; ++i) y[i] = y[i] - log_sum;
      continue;
    }
    for (std::size_t i = 0; i < size; ++i) y[i] = Exp(y[i]);
    const float sum = SumTerms(size, [y](std::size_t i) { return y[i]; });
    for (std::size_t i = 0; i < size; ++i) y[i] = y[i] / sum;
  }
}

inline void NormalizeLoop(NormalizationKind kind, const NormalizationShape& shape, float epsilon,
                          std::span<const float> in, std::span<const float> gamma,
                          std::span<const float> beta, std::span<float> out) {
  const std::size_t size = shape.row_size;
  const auto count = static_cast<float>(size);
  const float* factor = gamma.data();
  const float* offset = beta.data();
  for (std::size_t r = 0; r < shape.num_rows; ++r) {
    const float* x = in.data() + r * size;
    float* y = out.data() + r * size;
    float mean = 0.0F;
    if (kind == NormalizationKind::kLayer) {
      mean = SumTerms(size, [x](std::size_t i) { return x[i]; }) / count;
    }
    const float variance =
        SumTerms(size, [x, mean](std::size_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
    const float inverse = 1.0F / __builtin_sqrtf(variance + epsilon);
    for (std::size_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * inverse;
    if (!gamma.empty()) {
      for (std::size_t i = 0; i < size; ++i) y[i] = y[i] * factor[i];
    }
    if (!beta.empty()) {
      for (std::size_t i = 0; i < size; ++i) y[i] = y[i] + offset[i];
    }
  }
}

}  // namespace
}  // namespace octet::kernels
