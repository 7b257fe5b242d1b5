// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/matmul_f32.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/packed/aligned_array.h"
#include "kernels/packed/f32_product.h"
#include "kernels/packed/output.h"
#include "kernels/validation.h"

namespace octet::kernels {
namespace {

class PackedMatmulF32 final : public MatmulF32 {
 public:
  PackedMatmulF32(const MicroKernels& micro, const F32Product::Spec& spec, std::string provider)
      : k_(spec.k), n_(spec.n), product_(micro, spec), provider_(std::move(provider)) {}

  std::string_view Provider() const override { return provider_; }
  std::size_t PackedByteSize() const override { return product_.PackedByteSize(); }
  std::size_t ScratchByteSize(std::size_t) const override { return product_.ScratchByteSize(); }

  void Run(const Arguments& a) const override {
    assert(a.lhs.size() == a.m * k_ && a.out.size() == a.m * n_);
    assert(a.residual.empty() || a.residual.size() == a.out.size());
    assert(a.scratch.size() >= ScratchByteSize(a.m));
    product_.Run({.lhs = a.lhs.data(),
                  .lhs_stride = k_,
                  .count = a.m,
                  .residual = OrNull(a.residual, 0),
                  .out = a.out.data(),
                  .out_stride = n_,
                  .scratch = a.scratch.data()});
  }

 private:
  const std::size_t k_;
  const std::size_t n_;
  const F32Product product_;
  const std::string provider_;
};

// The scratch of a batched product: a panel of rhs, then lhs where its rows are
// not contiguous.
struct BatchedScratch {
  std::size_t panel_bytes;
  std::size_t lhs_bytes;
};

BatchedScratch BatchedScratchOf(const MicroKernels& micro, const BatchedMatmulF32Shape& s) {
  const std::size_t panel = RoundUp(s.k * micro.f32->columns * sizeof(float), kScratchAlignment);
  return {panel, s.lhs_column_stride == 1 ? 0 : s.m * s.k * sizeof(float)};
}

// Columns [first, first + columns) of rhs, as a panel.
void PackRhsPanel(const BatchedMatmulF32Shape& s, const float* rhs, std::size_t first,
                  std::size_t columns, float* panel) {
  const std::size_t count = std::min(columns, s.n - first);
  for (std::size_t p = 0; p < s.k; ++p) {
    const float* row = rhs + p * s.rhs_row_stride + first * s.rhs_column_stride;
    float* target = panel + p * columns;
    for (std::size_t j = 0; j < count; ++j) target[j] = row[j * s.rhs_column_stride];
    for (std::size_t j = count; j < columns; ++j) target[j] = 0.0F;
  }
}

void PackLhs(const BatchedMatmulF32Shape& s, const float* lhs, float* out) {
  for (std::size_t i = 0; i < s.m; ++i) {
    for (std::size_t p = 0; p < s.k; ++p) {
      out[i * s.k + p] = lhs[i * s.lhs_row_stride + p * s.lhs_column_stride];
    }
  }
}

}  // namespace

Prepared<MatmulF32> PreparePackedMatmulF32(const MicroKernels& micro, const MatmulF32Spec& spec) {
  if (std::string error = CheckMatmulF32(spec); !error.empty()) return {nullptr, std::move(error)};
  const F32Product::Spec product = {
      .k = spec.k,
      .n = spec.n,
      .weight =
          [&spec](std::size_t p, std::size_t j) {
            return spec.weight[WeightIndex(spec.layout, spec.k, spec.n, p, j)];
          },
      .bias = spec.bias,
      .activation = spec.activation};
  return {std::make_unique<PackedMatmulF32>(micro, product, micro.f32->name), ""};
}

Prepared<MatmulF32> PreparePackedMatmulWeightOnly(const MicroKernels& micro,
                                                  const MatmulWeightOnlySpec& spec) {
  if (std::string error = CheckMatmulWeightOnly(spec); !error.empty()) {
    return {nullptr, std::move(error)};
  }
  const F32Product::Spec product = {
      .k = spec.k, .n = spec.n, .weight = nullptr, .weight_only = &spec};
  std::string provider = std::string(micro.f32->name) + " int" + std::to_string(spec.bits);
  return {std::make_unique<PackedMatmulF32>(micro, product, std::move(provider)), ""};
}

std::size_t PackedBatchedMatmulF32ScratchByteSize(const MicroKernels& micro,
                                                  const BatchedMatmulF32Shape& shape) {
  const BatchedScratch scratch = BatchedScratchOf(micro, shape);
  return scratch.panel_bytes + scratch.lhs_bytes;
}

void RunBatchedMatmulF32(const MicroKernels& micro, const BatchedMatmulF32Shape& s,
                         const float* lhs, const float* rhs, float* out, std::byte* scratch) {
  const std::size_t columns = micro.f32->columns;
  auto* panel = reinterpret_cast<float*>(scratch);
  auto* packed_lhs = reinterpret_cast<float*>(scratch + BatchedScratchOf(micro, s).panel_bytes);
  alignas(64) float tile[kTileRows * kMaxColumns];
  for (std::size_t b = 0; b < s.batch; ++b) {
    const float* rows = lhs + b * s.lhs_batch_stride;
    std::size_t row_stride = s.lhs_row_stride;
    if (s.lhs_column_stride != 1) {
      PackLhs(s, rows, packed_lhs);
      rows = packed_lhs;
      row_stride = s.k;
    }
    for (std::size_t channel = 0; channel < s.n; channel += columns) {
      PackRhsPanel(s, rhs + b * s.rhs_batch_stride, channel, columns, panel);
      const std::size_t count = std::min(columns, s.n - channel);
      for (std::size_t first = 0; first < s.m; first += kTileRows) {
        const std::size_t num_rows = std::min(kTileRows, s.m - first);
        std::fill_n(tile, num_rows * columns, 0.0F);
        micro.f32->multiply(rows + first * row_stride, row_stride, num_rows, s.k, panel, 0, 1,
                            tile);
        float* target = out + b * s.out_batch_stride + first * s.out_row_stride + channel;
        for (std::size_t r = 0; r < num_rows; ++r) {
          std::copy_n(tile + r * columns, count, target + r * s.out_row_stride);
        }
      }
    }
  }
}

}  // namespace octet::kernels
