// SPDX-License-Identifier: Apache-2.0
// Elementary functions of int8 values in fixed point, as TensorFlow Lite's reference kernels
// compute them with gemmlowp. A number "in Qm" is an int32 with m integer bits and 31 - m behind
// them.

#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/fixed_point.h"
#include "kernels/quantization.h"

namespace octet::kernels {

// exp(x) in Q0 for x in Q`integer_bits`, at most 0; integer_bits is in [1, 5].
std::int32_t FixedPointExp(std::int32_t x, int integer_bits);
// 1 / (1 + exp(-x)) in Q0 for x in Q4, above -16.
std::int32_t FixedPointSigmoid(std::int32_t x);
// tanh(x) in Q0 for x in Q4, above -16.
std::int32_t FixedPointTanh(std::int32_t x);
// 1 / (1 + x) in Q0 for x in Q0, at least 0.
std::int32_t FixedPointReciprocalOfOnePlus(std::int32_t x);

// What each int8 value, by its number plus 128, becomes.
using Int8Table = std::array<std::int8_t, 256>;
// Of a function whose output has the scale 1/256 and zero point -128 (sigmoid), 1/128 and 0 (tanh).
Int8Table FixedPointSigmoidTable(Scale scale, ZeroPoint zero_point, FixedRounding rounding);
Int8Table FixedPointTanhTable(Scale scale, ZeroPoint zero_point, FixedRounding rounding);

// Softmax from int8 to int8 of scale 1/256 and zero point -128.
class FixedPointSoftmax {
 public:
  // Of beta * x. Precondition: beta is finite and above 0.
  FixedPointSoftmax(Scale scale, float beta, FixedRounding rounding);

  // One row. Sizes are equal; in may be out.
  void Run(std::span<const std::int8_t> in, std::span<std::int8_t> out) const;

 private:
  // By how much a value is below the row's largest: exp in Q0, and the same in Q12; 0 where that
  // is too far below to count.
  std::array<std::int32_t, 256> exp_{};
  std::array<std::int32_t, 256> summand_{};
};

}  // namespace octet::kernels
