// SPDX-License-Identifier: Apache-2.0
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/reference/reference.h"
#include "kernels/validation.h"

namespace octet::kernels::reference {
namespace {

// Sums in double: the others are compared with the nearest float to the exact
// result.
class ReferenceMatmulF32 final : public MatmulF32 {
 public:
  ReferenceMatmulF32(std::size_t k, std::size_t n, std::vector<double> weight,
                     std::span<const float> bias, const Activation& activation,
                     std::string_view provider)
      : k_(k),
        n_(n),
        weight_(std::move(weight)),
        bias_(bias.begin(), bias.end()),
        activation_(activation),
        provider_(provider) {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return 8 * weight_.size() + 4 * bias_.size(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_ && a.out.size() == a.m * n_);
    for (std::size_t i = 0; i < a.m; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        double sum = bias_.empty() ? 0.0 : double{bias_[j]};
        for (std::size_t p = 0; p < k_; ++p) sum += double{a.lhs[i * k_ + p]} * weight_[p * n_ + j];
        a.out[i * n_ + j] = static_cast<float>(sum);
      }
    }
    ActivationF32(activation_, a.out, a.out);
    for (std::size_t i = 0; i < a.residual.size(); ++i) a.out[i] += a.residual[i];
  }

 private:
  const std::size_t k_;
  const std::size_t n_;
  const std::vector<double> weight_;  // [k, n]
  const std::vector<float> bias_;
  const Activation activation_;
  const std::string_view provider_;
};

}  // namespace

Prepared<MatmulF32> PrepareMatmulF32(const MatmulF32Spec& spec) {
  if (std::string error = CheckMatmulF32(spec); !error.empty()) return {nullptr, std::move(error)};
  std::vector<double> weight(spec.k * spec.n);
  for (std::size_t p = 0; p < spec.k; ++p) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      weight[p * spec.n + j] = spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
    }
  }
  return {std::make_unique<ReferenceMatmulF32>(spec.k, spec.n, std::move(weight), spec.bias,
                                               spec.activation, "reference matmul_f32"),
          ""};
}

Prepared<MatmulF32> PrepareMatmulWeightOnly(const MatmulWeightOnlySpec& spec) {
  if (std::string error = CheckMatmulWeightOnly(spec); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  const std::size_t group_size = spec.group_size == 0 ? spec.k : spec.group_size;
  std::vector<double> weight(spec.k * spec.n);
  for (std::size_t p = 0; p < spec.k; ++p) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      const std::size_t group = p / group_size * spec.n + j;
      const int zero = spec.zero_point.empty() ? 0 : spec.zero_point[group];
      const double w = spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)] - zero;
      const double scale = spec.scale[group];
      weight[p * spec.n + j] =
          spec.convention == ScaleConvention::kReciprocal ? w / scale : w * scale;
    }
  }
  return {std::make_unique<ReferenceMatmulF32>(spec.k, spec.n, std::move(weight), spec.bias,
                                               spec.activation, "reference matmul_weight_only"),
          ""};
}

void BatchedMatmulF32(const BatchedMatmulF32Shape& s, std::span<const float> lhs,
                      std::span<const float> rhs, std::span<float> out, std::span<std::byte>) {
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t i = 0; i < s.m; ++i) {
      for (std::size_t j = 0; j < s.n; ++j) {
        double sum = 0.0;
        for (std::size_t p = 0; p < s.k; ++p) {
          sum +=
              double{lhs[b * s.lhs_batch_stride + i * s.lhs_row_stride + p * s.lhs_column_stride]} *
              double{rhs[b * s.rhs_batch_stride + p * s.rhs_row_stride + j * s.rhs_column_stride]};
        }
        out[b * s.out_batch_stride + i * s.out_row_stride + j] = static_cast<float>(sum);
      }
    }
  }
}

std::size_t BatchedMatmulF32ScratchByteSize(const BatchedMatmulF32Shape&) { return 0; }

}  // namespace octet::kernels::reference
