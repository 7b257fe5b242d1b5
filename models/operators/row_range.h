// SPDX-License-Identifier: Apache-2.0
// A row of float32 numbers as uint8 with a zero point, both found when the row is known.

#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace octet {

struct RowRange {
  float scale;
  std::int32_t zero_point;  // of uint8
};

// What a row's numbers lie between, and 0 with them. What is no number is left out.
std::pair<float, float> BoundsOf(std::span<const float> row);

// TensorFlow Lite's symmetric one: 127 steps to either side, zero point 128.
RowRange TfliteSymmetricRangeOf(std::span<const float> row);
// TensorFlow Lite's, whose zero point is that of the bound that is nearer to it.
RowRange TfliteRangeOf(std::span<const float> row);
// round_half_away(zero_point + x / scale), by a product with 1 / scale. Sizes are equal.
void TfliteQuantize(const RowRange& range, std::span<const float> in, std::span<std::uint8_t> out);

}  // namespace octet
