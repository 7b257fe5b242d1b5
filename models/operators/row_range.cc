// SPDX-License-Identifier: Apache-2.0

#include "models/operators/row_range.h"

#include <algorithm>
#include <cmath>

namespace octet {

std::pair<float, float> BoundsOf(std::span<const float> row) {
  float least = 0.0F;
  float largest = 0.0F;
  for (const float value : row) {
    least = value < least ? value : least;
    largest = value > largest ? value : largest;
  }
  return {least, largest};
}

RowRange TfliteSymmetricRangeOf(std::span<const float> row) {
  const auto [least, largest] = BoundsOf(row);
  const float scale = std::max(-least, largest) / 127.0F;
  if (!(scale > 0.0F) || !std::isfinite(scale) || !std::isfinite(1.0F / scale)) {
    return {1.0F, 128};
  }
  return {scale, 128};
}

RowRange TfliteRangeOf(std::span<const float> row) {
  const auto [least, largest] = BoundsOf(row);
  const double scale = (static_cast<double>(largest) - static_cast<double>(least)) / 255.0;
  const auto narrow = static_cast<float>(scale);
  if (!(narrow > 0.0F) || !std::isfinite(narrow) || !std::isfinite(1.0F / narrow)) {
    return {1.0F, 128};
  }
  const double below = static_cast<double>(least) / scale;
  const double above = static_cast<double>(largest) / scale;
  const bool is_from_least = 128.0 + std::abs(below) < 127.0 + std::abs(above);
  const double zero_point = is_from_least ? -128.0 - below : 127.0 - above;
  return {narrow,
          static_cast<std::int32_t>(std::round(std::clamp(zero_point, -128.0, 127.0))) + 128};
}

void TfliteQuantize(const RowRange& range, std::span<const float> in, std::span<std::uint8_t> out) {
  const float inverse = 1.0F / range.scale;
  const auto zero_point = static_cast<float>(range.zero_point - 128);
  std::transform(in.begin(), in.end(), out.begin(), [=](float x) {
    const float sum = zero_point + x * inverse;
    if (std::isnan(sum)) return static_cast<std::uint8_t>(range.zero_point);
    const float bounded = std::clamp(sum, -129.0F, 128.0F);
    const auto cut = static_cast<std::int32_t>(bounded);
    const float rest = bounded - static_cast<float>(cut);
    const std::int32_t rounded = cut + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0);
    return static_cast<std::uint8_t>(std::clamp(rounded, -128, 127) + 128);
  });
}

}  // namespace octet
