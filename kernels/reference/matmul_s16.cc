// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul_s16.h"

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

class ReferenceMatmulS16 final : public MatmulS16 {
 public:
  explicit ReferenceMatmulS16(const MatmulS16Spec& spec)
      : k_(spec.k),
        n_(spec.n),
        layout_(spec.layout),
        weight_(spec.weight.begin(), spec.weight.end()),
        epilogue_(spec.epilogue) {}

  std::string_view Provider() const override { return "reference matmul_s16"; }
  std::size_t PackedByteSize() const override { return weight_.size() + epilogue_.ByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return 0; }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_);
    for (std::size_t i = 0; i < a.m; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        std::int64_t acc = 0;
        for (std::size_t p = 0; p < k_; ++p) {
          acc += std::int64_t{a.lhs[i * k_ + p]} * weight_[WeightIndex(layout_, k_, n_, p, j)];
        }
        epilogue_.Store(acc, j, i * n_ + j, a.out);
      }
    }
  }

 private:
  const std::size_t k_;
  const std::size_t n_;
  const WeightLayout layout_;
  const std::vector<std::int8_t> weight_;
  const OwnedEpilogueS16 epilogue_;
};

}  // namespace

Prepared<MatmulS16> PrepareMatmulS16(const MatmulS16Spec& spec) {
  if (std::string error = CheckMatmulS16(spec); !error.empty()) return {nullptr, std::move(error)};
  return {std::make_unique<ReferenceMatmulS16>(spec), ""};
}

}  // namespace octet::kernels::reference
