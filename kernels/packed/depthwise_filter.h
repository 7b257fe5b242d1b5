// SPDX-License-Identifier: Apache-2.0
// The int8 filter of a depthwise convolution. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv2d.h"

namespace octet::kernels {

// The filter's value at `index`, its zero point taken away: 16 bits hold it.
inline std::int16_t FilterDifference(const Conv2dS8Spec& spec, std::size_t index) {
  const int zero = spec.filter_zero_point.empty()
                       ? 0
                       : spec.filter_zero_point[index % spec.geometry.out_channels];
  return static_cast<std::int16_t>(spec.filter[index] - zero);
}

// Of each channel's values.
inline std::vector<std::int32_t> SumFilter(const Conv2dS8Spec& spec) {
  std::vector<std::int32_t> sums(spec.geometry.out_channels);
  for (std::size_t i = 0; i < spec.filter.size(); ++i) {
    sums[i % sums.size()] += FilterDifference(spec, i);
  }
  return sums;
}

}  // namespace octet::kernels
