// SPDX-License-Identifier: Apache-2.0
#include "models/quality/interval.h"

#include <algorithm>
#include <cmath>

namespace octet {

Interval WilsonInterval(double share, std::int64_t samples, double z) {
  if (samples < 1) return {};
  const auto n = static_cast<double>(samples);
  const double scale = 1.0 + z * z / n;
  const double centre = (share + z * z / (2.0 * n)) / scale;
  const double half = z / scale * std::sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace octet
