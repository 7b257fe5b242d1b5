// SPDX-License-Identifier: Apache-2.0
// Numbers as types with fewer bits hold them.

#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace octet {

// A binary floating point type: how many digits a number has, the exponent of the least step
// between two numbers, and that of the first number that is too large.
struct ReducedFloat {
  int digits;
  int least_step;
  int end;
};
inline constexpr ReducedFloat kFloat16Form = {11, -24, 16};
inline constexpr ReducedFloat kBfloat16Form = {8, -133, 128};

// `value`, to the nearest number of `form`, ties to even; infinite where it is too large.
inline double RoundedTo(const ReducedFloat& form, double value) {
  if (!std::isfinite(value) || value == 0.0) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  const int step = std::max(exponent - form.digits, form.least_step);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -step)), step);
  if (std::abs(rounded) < std::ldexp(1.0, form.end)) return rounded;
  return std::copysign(std::numeric_limits<double>::infinity(), value);
}

}  // namespace octet
