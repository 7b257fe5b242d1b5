// SPDX-License-Identifier: Apache-2.0
// What a quantized value means.

#pragma once

#include <cstdint>

namespace octet::kernels {

// Step between two neighbouring quantized values, in the real value's unit.
// Finite and above 0.
struct Scale {
  float value;
  friend bool operator==(Scale, Scale) = default;
};

// The quantized value that stands for real 0: real = scale * (quantized -
// zero_point).
struct ZeroPoint {
  std::int32_t value;
  friend bool operator==(ZeroPoint, ZeroPoint) = default;
};

}  // namespace octet::kernels
