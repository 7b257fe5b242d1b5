// SPDX-License-Identifier: Apache-2.0
#include "kernels/packed/weight_panels.h"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace octet::kernels {

WeightPanels::WeightPanels(const Layout& layout,
                           const std::function<std::int8_t(std::size_t p, std::size_t j)>& weight)
    : layout_(layout),
      num_panels_((layout.n - 1) / layout.columns + 1),
      segment_padded_(RoundUp(layout.k / layout.num_segments, layout.k_multiple)),
      weight_(padded_n() * k_padded()) {
  const auto [k, n, num_segments, k_multiple, columns, interleave] = layout;
  const std::size_t segment = k / num_segments;
  for (std::size_t j = 0; j < n; ++j) {
    std::int8_t* panel = weight_.data() + j / columns * columns * k_padded();
    for (std::size_t p = 0; p < k; ++p) {
      const std::size_t q = p / segment * segment_padded_ + p % segment;
      panel[(q / interleave * columns + j % columns) * interleave + q % interleave] = weight(p, j);
    }
  }
}

}  // namespace octet::kernels
