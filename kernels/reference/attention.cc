// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "kernels/reference/reference.h"

namespace octet::kernels::reference {
namespace {

bool IsKept(const AttentionShape& shape, std::size_t head, std::size_t query, std::size_t key) {
  if (shape.is_causal && key > query) return false;
  const AttentionMask& mask = shape.mask;
  return mask.keep == nullptr ||
         mask.keep[head * mask.head_stride + query * mask.query_stride + key * mask.key_stride] !=
             0;
}

double Score(const AttentionShape& shape, const float* query, const float* key) {
  double sum = 0.0;
  for (std::size_t p = 0; p < shape.width; ++p) sum += double{query[p]} * double{key[p]};
  const double score = sum * double{shape.scale};
  if (shape.soft_cap <= 0.0F) return score;
  return double{shape.soft_cap} * std::tanh(score / double{shape.soft_cap});
}

// The weights of one query; all 0 where there is no key and zero_masked_rows.
void Weigh(const AttentionShape& shape, const float* query, const float* key, std::size_t head,
           std::size_t t, std::span<double> weights) {
  double largest = -std::numeric_limits<double>::infinity();
  bool has_key = false;
  for (std::size_t j = 0; j < shape.keys; ++j) {
    if (!IsKept(shape, head, t, j)) continue;
    weights[j] = Score(shape, query, key + j * shape.key_stride);
    largest = has_key ? std::max(largest, weights[j]) : weights[j];
    has_key = true;
  }
  double sum = 0.0;
  for (std::size_t j = 0; j < shape.keys; ++j) {
    if (has_key) {
      weights[j] = IsKept(shape, head, t, j) ? std::exp(weights[j] - largest) : 0.0;
    } else {
      weights[j] = shape.zero_masked_rows ? 0.0 : 1.0;
    }
    sum += weights[j];
  }
  if (sum == 0.0) return;
  for (double& weight : weights) weight /= sum;
}

}  // namespace

std::size_t AttentionF32ScratchByteSize(const AttentionShape& shape) {
  return shape.keys * sizeof(double);
}

void AttentionF32(const AttentionShape& shape, const float* query, const float* key,
                  const float* value, float* out, std::span<std::byte> scratch) {
  const std::span<double> weights(reinterpret_cast<double*>(scratch.data()), shape.keys);
  for (std::size_t head = 0; head < shape.heads; ++head) {
    for (std::size_t t = 0; t < shape.queries; ++t) {
      Weigh(shape, query + head * shape.query_head_stride + t * shape.query_stride, key, head, t,
            weights);
      float* result = out + head * shape.out_head_stride + t * shape.out_stride;
      for (std::size_t e = 0; e < shape.value_width; ++e) {
        double sum = 0.0;
        for (std::size_t j = 0; j < shape.keys; ++j) {
          sum += weights[j] * double{value[j * shape.value_stride + e]};
        }
        result[e] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace octet::kernels::reference
