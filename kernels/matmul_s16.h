// SPDX-License-Identifier: Apache-2.0
// Int16 activations times constant int8 weights, both symmetric ("16x8"): the fully connected
// layer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/epilogue.h"
#include "kernels/prepared.h"

namespace octet::kernels {

// acc[i, j] = sum over p of lhs[i, p] * weight[p, j], exactly, then the epilogue.
struct MatmulS16Spec {
  std::size_t k = 0;  // the reduced dimension; 1 to kMostTerms
  std::size_t n = 0;  // output channels; at least 1
  WeightLayout layout = WeightLayout::kInputMajor;
  std::span<const std::int8_t> weight = {};  // k * n values
  EpilogueS16 epilogue = {};
};

class MatmulS16 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t m = 0;                       // rows; any number, 0 included
    std::span<const std::int16_t> lhs = {};  // m * k
    EpilogueS16Output out = {};              // m * n; overlaps no input
    std::span<std::byte> scratch = {};  // at least ScratchByteSize(m), aligned to kScratchAlignment
  };

  virtual std::size_t ScratchByteSize(std::size_t m) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

// Packs. Fails where a size or a parameter breaks the contract above, or where some column's sum
// could be beyond what the epilogue takes: sum over p of |weight| * 32768 + |bias| is at most 2^53.
using PrepareMatmulS16 = Prepared<MatmulS16> (*)(const MatmulS16Spec& spec);

}  // namespace octet::kernels
