// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

namespace octet {

struct Interval {
  double low = 0.0;
  double high = 1.0;
};

// Wilson's interval for a share that was seen in `samples` independent trials: it holds the true
// share in 95 of 100 cases, with `z` = 1.96 standard deviations. All of [0, 1] without samples.
Interval WilsonInterval(double share, std::int64_t samples, double z = 1.959963984540054);

}  // namespace octet
