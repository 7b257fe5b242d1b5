// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/matmul_s16.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/packed/output.h"
#include "kernels/packed/s16_product.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

// Rows that are multiplied at one time; it bounds the scratch.
constexpr std::size_t kRowsAtATime = 5 * kTileRows;

class PackedMatmulS16 final : public MatmulS16 {
 public:
  PackedMatmulS16(const MicroKernels& micro, const S16Product::Spec& spec)
      : k_(spec.k),
        n_(spec.n),
        kind_(spec.epilogue.kind),
        provider_(micro.s16->name),
        product_(micro, spec) {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return product_.PackedByteSize(); }
  std::size_t ScratchByteSize(std::size_t m) const override {
    if (!is_padded()) return 0;
    return std::min(m, kRowsAtATime) * product_.segment_padded() * sizeof(std::int16_t);
  }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_);
    assert(a.scratch.size() >= ScratchByteSize(a.m));
    const OutputBytes out = OutputOf(kind_, a.out);
    for (std::size_t first = 0; first < a.m; first += kRowsAtATime) {
      const std::size_t count = std::min(kRowsAtATime, a.m - first);
      const std::int16_t* lhs = a.lhs.data() + first * k_;
      if (is_padded()) lhs = Pad(lhs, count, reinterpret_cast<std::int16_t*>(a.scratch.data()));
      product_.Run({.lhs = reinterpret_cast<const std::byte*>(lhs),
                    .count = count,
                    .out = out.data + first * n_ * out.element_size,
                    .out_stride = n_,
                    .out_element_size = out.element_size});
    }
  }

 private:
  // Whether rows have to be copied, because more is read of them than they hold.
  bool is_padded() const { return product_.segment_padded() != k_; }

  const std::int16_t* Pad(const std::int16_t* rows, std::size_t count, std::int16_t* padded) const {
    for (std::size_t r = 0; r < count; ++r) {
      std::int16_t* row = padded + r * product_.segment_padded();
      std::copy_n(rows + r * k_, k_, row);
      std::fill(row + k_, row + product_.segment_padded(), std::int16_t{0});
    }
    return padded;
  }

  const std::size_t k_;
  const std::size_t n_;
  const EpilogueKind kind_;
  const std::string provider_;
  const S16Product product_;
};

}  // namespace

Prepared<MatmulS16> PreparePackedMatmulS16(const MicroKernels& micro, const MatmulS16Spec& spec) {
  if (std::string error = CheckMatmulS16(spec); !error.empty()) return {nullptr, std::move(error)};
  const S16Product::Spec product = {
      .k = spec.k,
      .n = spec.n,
      .weight =
          [&spec](std::size_t p, std::size_t j) {
            return spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
          },
      .epilogue = spec.epilogue};
  return {std::make_unique<PackedMatmulS16>(micro, product), ""};
}

}  // namespace octet::kernels
