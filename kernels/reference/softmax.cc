// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "kernels/reference/reference.h"

namespace octet::kernels::reference {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

void SoftmaxF32(SoftmaxKind kind, const SoftmaxShape& shape, std::span<const float> in,
                std::span<float> out) {
  for (std::size_t r = 0; r < shape.num_rows; ++r) {
    const auto x = in.subspan(r * shape.row_size, shape.row_size);
    const auto y = out.subspan(r * shape.row_size, shape.row_size);
    const float largest = *std::max_element(x.begin(), x.end());
    const bool is_all_excluded = largest == -kInfinity;
    const auto shifted = [&](float value) {
      return is_all_excluded ? 0.0 : double{value} - double{largest};
    };
    double sum = 0.0;
    for (const float value : x) sum += std::exp(shifted(value));
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = static_cast<float>(kind == SoftmaxKind::kSoftmax ? std::exp(shifted(x[i])) / sum
                                                              : shifted(x[i]) - std::log(sum));
    }
  }
}

void NormalizeF32(NormalizationKind kind, const NormalizationShape& shape, float epsilon,
                  std::span<const float> in, std::span<const float> gamma,
                  std::span<const float> beta, std::span<float> out) {
  const auto size = static_cast<double>(shape.row_size);
  for (std::size_t r = 0; r < shape.num_rows; ++r) {
    const auto x = in.subspan(r * shape.row_size, shape.row_size);
    const auto y = out.subspan(r * shape.row_size, shape.row_size);
    double mean = 0.0;
    if (kind == NormalizationKind::kLayer) {
      for (const float value : x) mean += double{value} / size;
    }
    double variance = 0.0;
    for (const float value : x) variance += (value - mean) * (value - mean) / size;
    const double deviation = std::sqrt(variance + double{epsilon});
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double factor = gamma.empty() ? 1.0 : double{gamma[i]};
      const double offset = beta.empty() ? 0.0 : double{beta[i]};
      y[i] = static_cast<float>((x[i] - mean) / deviation * factor + offset);
    }
  }
}

}  // namespace octet::kernels::reference
