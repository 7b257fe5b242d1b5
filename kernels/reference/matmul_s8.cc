// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/reference/reference.h"
#include "kernels/validation.h"

namespace octet::kernels::reference {
namespace {

class ReferenceMatmulS8 final : public MatmulS8 {
 public:
  // `weight` is [k, n] with its zero points taken away; `group_scale` is empty
  // or [groups, n].
  ReferenceMatmulS8(std::size_t k, std::size_t n, std::vector<std::int16_t> weight,
                    ZeroPoint lhs_zero_point, const Epilogue& epilogue, std::size_t group_size,
                    std::vector<float> group_scale)
      : k_(k),
        n_(n),
        weight_(std::move(weight)),
        lhs_zero_point_(lhs_zero_point),
        epilogue_(epilogue),
        group_size_(group_size),
        group_scale_(std::move(group_scale)) {}

  std::string_view Provider() const override { return "reference matmul_s8"; }
  std::size_t PackedByteSize() const override {
    return 2 * weight_.size() + epilogue_.ByteSize() + 4 * group_scale_.size();
  }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_);
    for (std::size_t i = 0; i < a.m; ++i) {
      const float row_scale = a.row_scale.empty() ? 1.0F : a.row_scale[i / a.row_scale_rows];
      const std::int8_t* row = a.lhs.data() + i * k_;
      for (std::size_t j = 0; j < n_; ++j) {
        if (group_scale_.empty()) {
          epilogue_.Store(Sum(row, j, 0, k_), row_scale, j, i * n_ + j, a.out);
          continue;
        }
        float sum = 0.0F;
        std::size_t begin = 0;
        for (std::size_t at = j; begin < k_; at += n_) {
          const std::size_t end = std::min(begin + group_size_, k_);
          sum += static_cast<float>(Sum(row, j, begin, end)) * group_scale_[at];
          begin = end;
        }
        epilogue_.StoreScaled(sum, row_scale, j, i * n_ + j, a.out);
      }
    }
    for (std::size_t i = 0; i < a.residual.size(); ++i) a.out.f32[i] += a.residual[i];
  }

 private:
  std::int32_t Sum(const std::int8_t* row, std::size_t j, std::size_t begin,
                   std::size_t end) const {
    std::int32_t acc = 0;
    for (std::size_t p = begin; p < end; ++p) {
      acc += (row[p] - lhs_zero_point_.value) * weight_[p * n_ + j];
    }
    return acc;
  }

  const std::size_t k_;
  const std::size_t n_;
  const std::vector<std::int16_t> weight_;
  const ZeroPoint lhs_zero_point_;
  const OwnedEpilogue epilogue_;
  const std::size_t group_size_;
  const std::vector<float> group_scale_;
};

}  // namespace

Prepared<MatmulS8> PrepareMatmulS8(const MatmulS8Spec& spec) {
  if (std::string error = CheckMatmulS8(spec); !error.empty()) return {nullptr, std::move(error)};
  if (std::string error = CheckOnlyImplementation(spec.implementation); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  std::vector<std::int16_t> weight(spec.k * spec.n);
  for (std::size_t p = 0; p < spec.k; ++p) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      const int zero = spec.zero_point.empty() ? 0 : spec.zero_point[j];
      const int w = spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
      weight[p * spec.n + j] = static_cast<std::int16_t>(w - zero);
    }
  }
  return {
      std::make_unique<ReferenceMatmulS8>(spec.k, spec.n, std::move(weight), spec.lhs_zero_point,
                                          spec.epilogue, spec.k, std::vector<float>()),
      ""};
}

Prepared<MatmulS8> PrepareMatmulS8S4(const MatmulS8S4Spec& spec) {
  if (std::string error = CheckMatmulS8S4(spec); !error.empty()) return {nullptr, std::move(error)};
  if (std::string error = CheckOnlyImplementation(spec.implementation); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  const std::size_t group_size = spec.group_size == 0 ? spec.k : spec.group_size;
  std::vector<std::int16_t> weight(spec.k * spec.n);
  for (std::size_t p = 0; p < spec.k; ++p) {
    for (std::size_t j = 0; j < spec.n; ++j) {
      const int zero = spec.zero_point.empty() ? 0 : spec.zero_point[p / group_size * spec.n + j];
      const int w = spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
      weight[p * spec.n + j] = static_cast<std::int16_t>(w - zero);
    }
  }
  return {std::make_unique<ReferenceMatmulS8>(
              spec.k, spec.n, std::move(weight), spec.lhs_zero_point, spec.epilogue, group_size,
              std::vector<float>(spec.scale.begin(), spec.scale.end())),
          ""};
}

}  // namespace octet::kernels::reference
