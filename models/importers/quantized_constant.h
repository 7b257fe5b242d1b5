// SPDX-License-Identifier: Apache-2.0
// Constants whose elements are integers that stand for real numbers: what a framework's quantized
// tensor is. The quantization is the tensor's, so that whatever moves the elements carries it
// along.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "absl/status/statusor.h"

#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet {

// How a product quantizes what it multiplies with the constant, to int8: PyTorch's formulas, which
// multiply with the reciprocal of a scale, round half to even, add the zero point and bound the
// sum.
struct RowsQuantization {
  enum class Kind : std::uint8_t {
    kNone,        // it does not: weights only
    kSymmetric,   // each row at run time; kernels/row_quantize.h: kHalfSteps
    kAsymmetric,  // each row at run time, with a zero point; DynamicQuantize of formula "torch"
    kStatic,      // with a scale and a zero point that are known
  };

  Kind kind = Kind::kNone;
  float epsilon = 0.0F;  // the least scale that is found at run time
  std::int32_t steps =
      255;             // from the least integer to the largest: -128 to 127, or 127: -64 to 63
  float scale = 1.0F;  // kStatic: above 0
  std::int32_t zero_point = 0;  // kStatic: an int8
};

// real = (data - zero_point) * scale. Blocks of the elements share a scale: along axis i
// dims[i] / scale.dims()[i] of them.
struct QuantizedConstant {
  ConstantTensor data;                       // int8
  ConstantTensor scale;                      // float32, of as many axes
  std::optional<ConstantTensor> zero_point;  // int8, as `scale`; none where all are 0
  RowsQuantization rows;
  // What a product's other operand is multiplied with first, an element each along the axis that
  // is summed up, or one for all: float32. SmoothQuant and AWQ.
  std::optional<ConstantTensor> row_factor;
};

// `constant`, if it is what the struct says: there are elements, blocks of equal size, scales that
// are finite and above 0. A zero point that is 0 throughout is left out. INVALID_ARGUMENT naming
// what it got.
absl::StatusOr<QuantizedConstant> Checked(QuantizedConstant constant);

// The constant of `dims` whose element i is element from[i] of `constant`, with its scale; the
// elements in their order where `from` is empty. The result's blocks are the largest that there
// can be. Precondition: as many elements as `from`, or as `constant`, has; at least one.
QuantizedConstant Moved(const QuantizedConstant& constant, Dims dims,
                        std::span<const std::int64_t> from);

// Tensors of a file of weights, by name: float32, whole numbers as they are, or quantized.
using NamedWeights = std::map<std::string, std::variant<ConstantTensor, QuantizedConstant>>;

// The dimensions of either.
const Dims& DimsOf(const std::variant<ConstantTensor, QuantizedConstant>& weight);

}  // namespace octet
