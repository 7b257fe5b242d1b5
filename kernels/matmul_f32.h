// SPDX-License-Identifier: Apache-2.0
// Float32 activations times constant float32, int8 or int4 weights, and times
// other activations.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/epilogue.h"
#include "kernels/prepared.h"

namespace octet::kernels {

// out[i, j] = activation(sum over p of lhs[i, p] * weight[p, j] + bias[j]),
// float32. The order of summation differs between instruction sets; each row's
// result does not depend on m.
struct MatmulF32Spec {
  std::size_t k = 0;  // at least 1
  std::size_t n = 0;  // at least 1
  WeightLayout layout = WeightLayout::kInputMajor;
  std::span<const float> weight = {};  // k * n
  std::span<const float> bias = {};    // n, or empty
  Activation activation = {};
};

// The same with weights that are integers (weight-only quantization);
// activations stay float32.
//
// group_size 0, scale [n]: out = activation((sum of lhs * float(weight -
// zero_point)) / scale[j] + bias[j]), or `* scale[j]` for the multiply
// convention. group_size g, scale [ceil(k / g), n]: weight[p, j] stands for
// (weight - zero_point[p / g, j]) * scale[p / g, j], or `/ scale`.
struct MatmulWeightOnlySpec {
  std::size_t k = 0;
  std::size_t n = 0;
  WeightLayout layout = WeightLayout::kInputMajor;
  std::int32_t bits = 8;                     // 8, or 4: packed two a byte by prepare
  std::span<const std::int8_t> weight = {};  // k * n, one value a byte; 4 bits: each in [-8, 15]
  std::size_t group_size = 0;                // the last group may be shorter
  std::span<const float> scale = {};         // see above; finite, not 0
  std::span<const std::int8_t> zero_point = {};  // as scale, or empty: 0
  ScaleConvention convention = ScaleConvention::kReciprocal;
  std::span<const float> bias = {};  // n, or empty
  Activation activation = {};
};

class MatmulF32 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t m = 0;                // rows; any number, 0 included
    std::span<const float> lhs = {};  // m * k
    // m * n values, or empty; each is added to what the activation gives.
    std::span<const float> residual = {};
    std::span<float> out = {};          // m * n; overlaps no input
    std::span<std::byte> scratch = {};  // at least ScratchByteSize(m), aligned to kScratchAlignment
  };

  virtual std::size_t ScratchByteSize(std::size_t m) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

using PrepareMatmulF32 = Prepared<MatmulF32> (*)(const MatmulF32Spec& spec);
using PrepareMatmulWeightOnly = Prepared<MatmulF32> (*)(const MatmulWeightOnlySpec& spec);

// out[b, i, j] = sum over p of lhs[b, i, p] * rhs[b, p, j] for every b in [0,
// batch), both given at run time. A matrix may be transposed by its strides;
// `*_batch_stride` 0 broadcasts one matrix.
struct BatchedMatmulF32Shape {
  std::size_t batch = 1;
  std::size_t m = 0;
  std::size_t n = 0;
  std::size_t k = 0;
  std::size_t lhs_batch_stride = 0;   // in elements, as all strides
  std::size_t lhs_row_stride = 0;     // from i to i + 1
  std::size_t lhs_column_stride = 1;  // from p to p + 1
  std::size_t rhs_batch_stride = 0;
  std::size_t rhs_row_stride = 0;     // from p to p + 1
  std::size_t rhs_column_stride = 1;  // from j to j + 1
  std::size_t out_batch_stride = 0;
  std::size_t out_row_stride = 0;  // columns of out are consecutive
};

// The spans reach at least as far as the shape and strides do. scratch is at
// least BatchedMatmulF32ScratchByteSize(shape) bytes, aligned to
// kScratchAlignment.
using BatchedMatmulF32 = void (*)(const BatchedMatmulF32Shape& shape, std::span<const float> lhs,
                                  std::span<const float> rhs, std::span<float> out,
                                  std::span<std::byte> scratch);
using BatchedMatmulF32ScratchByteSize = std::size_t (*)(const BatchedMatmulF32Shape& shape);

}  // namespace octet::kernels
