// SPDX-License-Identifier: Apache-2.0
// Int8 activations times constant int8 or int4 weights: the fully connected
// layer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/epilogue.h"
#include "kernels/prepared.h"
#include "kernels/quantization.h"

namespace octet::kernels {

// acc[i, j] = sum over p of (lhs[i, p] - lhs_zero_point) * (weight[p, j] -
// zero_point[j]), then the epilogue. uint8 is int8 with 128 subtracted from
// values and zero points alike.
struct MatmulS8Spec {
  std::size_t k = 0;  // the reduced dimension; 1 to kMostTerms
  std::size_t n = 0;  // output channels; at least 1
  WeightLayout layout = WeightLayout::kInputMajor;
  std::span<const std::int8_t> weight = {};      // k * n values
  std::span<const std::int8_t> zero_point = {};  // n values, or empty: 0
  ZeroPoint lhs_zero_point{0};                   // in [-128, 127]
  Epilogue epilogue = {};
  std::string_view implementation = {};  // of MatmulS8Implementations; empty: its first
};

// Int4 weights, one value a byte (each in [-8, 15]: int4 or uint4), packed two
// a byte by prepare.
//
// group_size 0: acc as above, the epilogue any. group_size g: the epilogue is kDynamic with the
// multiply convention, and weight_scale of the epilogue is empty, because scale[p / g, j] belongs
// to a group:
//   y = activation((sum over groups, rising, of float(acc of the group) *
//   scale) / row_scale + bias)
// in float32, each product rounded before it is added.
struct MatmulS8S4Spec {
  std::size_t k = 0;
  std::size_t n = 0;
  WeightLayout layout = WeightLayout::kInputMajor;
  std::span<const std::int8_t> weight = {};  // k * n values
  std::size_t group_size = 0;                // the last group may be shorter
  std::span<const float> scale = {};         // grouped: [ceil(k / group_size), n]; else empty
  std::span<const std::int8_t> zero_point =
      {};                       // as scale where grouped, [n] where not; or empty: 0
  ZeroPoint lhs_zero_point{0};  // must be 0 where grouped
  Epilogue epilogue = {};
  std::string_view implementation = {};  // of MatmulS8S4Implementations; empty: its first
};

class MatmulS8 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t m = 0;                      // rows; any number, 0 included
    std::span<const std::int8_t> lhs = {};  // m * k
    // kDynamic: one scale (reciprocal, of QuantizeRowsS8) a row; else empty.
    // With `row_scale_rows` consecutive rows sharing each: m / row_scale_rows
    // scales, rounded up.
    std::span<const float> row_scale = {};
    std::size_t row_scale_rows = 1;
    // kDynamic, kStaticFloat: m * n values, or empty; each is added to what the epilogue gives.
    std::span<const float> residual = {};
    EpilogueOutput out = {};            // m * n; overlaps no input
    std::span<std::byte> scratch = {};  // at least ScratchByteSize(m), aligned to kScratchAlignment
  };

  virtual std::size_t ScratchByteSize(std::size_t m) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

// Packs. Fails where a size or a parameter breaks the contract above, or where
// some column's sum could leave int32: sum over p of |weight - zero_point| *
// max|lhs - lhs_zero_point| + |bias| must be below 2^31, so that no order of
// summation can overflow.
using PrepareMatmulS8 = Prepared<MatmulS8> (*)(const MatmulS8Spec& spec);
using PrepareMatmulS8S4 = Prepared<MatmulS8> (*)(const MatmulS8S4Spec& spec);

// Several ways to the same bits, as implementations.h says.
using MatmulS8Implementations = std::vector<std::string_view> (*)(const MatmulS8Spec& spec);
using MatmulS8S4Implementations = std::vector<std::string_view> (*)(const MatmulS8S4Spec& spec);

}  // namespace octet::kernels
