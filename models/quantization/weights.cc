// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/weights.h"

#include <algorithm>
#include <cmath>

namespace octet {

namespace {

constexpr float kEpsilon = 1e-7F;  // Keras's
constexpr float kLowest = -8.0F;
constexpr float kHighest = 7.0F;

std::int8_t Round(float value, float lo, float hi) {
  // The default rounding mode: half to even.
  return static_cast<std::int8_t>(std::clamp(std::nearbyint(value), lo, hi));
}

float ScaleFor(float absmax, float limit, WeightConvention convention) {
  if (convention == WeightConvention::kReciprocal) return limit / (absmax + kEpsilon);
  const float scale = absmax / limit;
  // Zero weights, or so small that nothing is left of them.
  return std::isnormal(scale) ? scale : 1.0F / limit;
}

std::int8_t Quantize(float value, float scale, float limit, WeightConvention convention) {
  const float scaled = convention == WeightConvention::kReciprocal ? value * scale : value / scale;
  return Round(scaled, -limit, limit);
}

}  // namespace

ChannelWeights QuantizeByColumn(std::span<const float> weight, std::size_t columns, int limit,
                                WeightConvention convention, std::span<const float> lowest_scale) {
  const auto highest = static_cast<float>(limit);
  std::vector<float> absmax(columns, 0.0F);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    absmax[i % columns] = std::max(absmax[i % columns], std::abs(weight[i]));
  }
  ChannelWeights result;
  for (const float value : absmax) result.scale.push_back(ScaleFor(value, highest, convention));
  for (std::size_t i = 0; i < lowest_scale.size(); ++i) {
    result.scale[i] = std::max(result.scale[i], lowest_scale[i]);
  }
  result.values.reserve(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    result.values.push_back(Quantize(weight[i], result.scale[i % columns], highest, convention));
  }
  return result;
}

ChannelWeights QuantizeByRow(std::span<const float> weight, std::size_t columns, int limit) {
  ChannelWeights result;
  result.values.reserve(weight.size());
  for (std::size_t begin = 0; begin < weight.size(); begin += columns) {
    const std::span<const float> row = weight.subspan(begin, columns);
    float absmax = 0.0F;
    for (const float value : row) absmax = std::max(absmax, std::abs(value));
    const auto highest = static_cast<float>(limit);
    const float scale = ScaleFor(absmax, highest, WeightConvention::kReciprocal);
    result.scale.push_back(scale);
    for (const float value : row) {
      result.values.push_back(Quantize(value, scale, highest, WeightConvention::kReciprocal));
    }
  }
  return result;
}

GroupedWeights QuantizeByGroup(std::span<const float> weight, std::size_t columns,
                               std::size_t group_size) {
  const std::size_t rows = columns == 0 ? 0 : weight.size() / columns;
  GroupedWeights result;
  result.values.resize(weight.size());
  for (std::size_t first = 0; first < rows; first += group_size) {
    const std::size_t last = std::min(rows, first + group_size);
    for (std::size_t column = 0; column < columns; ++column) {
      float min = 0.0F;
      float max = 0.0F;
      for (std::size_t row = first; row < last; ++row) {
        min = std::min(min, weight[row * columns + column]);
        max = std::max(max, weight[row * columns + column]);
      }
      const float range = (max - min) / (kHighest - kLowest);
      const float scale = std::isnormal(range) ? range : 1.0F;
      const std::int8_t zero_point = Round(kLowest - min / scale, kLowest, kHighest);
      result.scale.push_back(scale);
      result.zero_point.push_back(zero_point);
      for (std::size_t row = first; row < last; ++row) {
        const std::size_t i = row * columns + column;
        result.values[i] = Round(std::nearbyint(weight[i] / scale) + static_cast<float>(zero_point),
                                 kLowest, kHighest);
      }
    }
  }
  return result;
}

std::vector<std::int8_t> PackNibbles(std::span<const std::int8_t> values, std::size_t row_size) {
  std::vector<std::int8_t> packed;
  packed.reserve((values.size() + 1) / 2);
  for (std::size_t begin = 0; begin < values.size(); begin += row_size) {
    const std::span<const std::int8_t> row = values.subspan(begin, row_size);
    for (std::size_t i = 0; i < row.size(); i += 2) {
      const unsigned low = static_cast<unsigned>(row[i]) & 0xfU;
      const unsigned high = i + 1 < row.size() ? static_cast<unsigned>(row[i + 1]) & 0xfU : 0U;
      packed.push_back(static_cast<std::int8_t>(static_cast<std::uint8_t>(low | high << 4)));
    }
  }
  return packed;
}

}  // namespace octet
