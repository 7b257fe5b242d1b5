// SPDX-License-Identifier: Apache-2.0
// Scales in fixed point for tests: of all exponents that matter, with ties among their results.

#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/fixed_point.h"

namespace octet::kernels {

// `size` scales, of both roundings; a few are 0, powers of two, large ones and tiny ones.
inline std::vector<FixedPointScale> FixedPointScales(std::size_t size) {
  std::vector<FixedPointScale> scales;
  for (std::size_t i = 0; i < size; ++i) {
    const double reals[] = {0.0071,
                            0.0078125,
                            0.5,
                            1.0,
                            1e-4 * (1.0 + static_cast<double>(i)),
                            0.0,
                            3.7,
                            1e-9,
                            0.03125,
                            5e9,
                            std::ldexp(1.0, -31),
                            0.9999999999};
    const FixedPointNumber number = MakeFixedPointNumber(reals[i % std::size(reals)]);
    scales.push_back(MakeFixedPointScale(
        number, i / 3 % 2 == 0 ? FixedRounding::kDouble : FixedRounding::kSingle));
  }
  return scales;
}

// `size` unlike scales that are all rounded twice, which kernels may multiply by in a form of their
// own: 2^-17 to 1/2, powers of two among them.
inline std::vector<FixedPointScale> TwiceRoundedScales(std::size_t size) {
  std::vector<FixedPointScale> scales;
  for (std::size_t i = 0; i < size; ++i) {
    const double mantissas[] = {0.5, 0.75, 0.9999999999, 0.5 + 1e-3 * static_cast<double>(i % 400)};
    const double real =
        std::ldexp(mantissas[i % std::size(mantissas)], -1 - static_cast<int>(i % 16));
    scales.push_back(MakeFixedPointScale(MakeFixedPointNumber(real), FixedRounding::kDouble));
  }
  return scales;
}

}  // namespace octet::kernels
