// SPDX-License-Identifier: Apache-2.0
// Elementary functions of int16 values in fixed point, as TensorFlow Lite's reference kernels
// compute them: between points that are stored.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/fixed_point.h"
#include "kernels/quantization.h"

namespace octet::kernels {

// What each int16 value, by its number plus 32768, becomes: 65536 of them.
using Int16Table = std::vector<std::int16_t>;
// Of a function of values with zero point 0 whose output has the scale 2^-15.
Int16Table FixedPointSigmoidTableS16(Scale scale);
Int16Table FixedPointTanhTableS16(Scale scale);

// The same functions as gemmlowp computes them with numbers of 16 bits, where TensorFlow Lite's
// LSTM does: of a value in units of 2^(integer_bits - 15), in units of 2^-15. `integer_bits` is in
// [0, 6].
Int16Table GemmlowpSigmoidTableS16(int integer_bits);
Int16Table GemmlowpTanhTableS16(int integer_bits);

// Softmax from int16 to int16 of scale 2^-15.
class FixedPointSoftmaxS16 {
 public:
  // So many values of 1 have a sum within int32.
  static constexpr std::size_t kLargestRow = 65535;

  // Of beta * x. Precondition: beta is finite and above 0.
  FixedPointSoftmaxS16(Scale scale, float beta, FixedRounding rounding);

  // One row of at most kLargestRow values. Sizes are equal; in may be out.
  void Run(std::span<const std::int16_t> in, std::span<std::int16_t> out) const;

  [[nodiscard]] std::size_t ByteSize() const {
    return sizeof(std::int16_t) * (exp_.size() + reciprocal_.size());
  }

 private:
  Int16Table exp_;                        // by how much a value is below the row's largest
  std::vector<std::int16_t> reciprocal_;  // points of 1 / (1 + x) for x from 0 to 1
};

}  // namespace octet::kernels
