// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/weight_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// `runs` runs of `length` elements, `stride` apart, from element `first` on.
struct Channel {
  std::int64_t first;
  std::int64_t runs;
  std::int64_t stride;
  std::int64_t length;

  template <typename Visit>
  bool All(const Visit& visit) const {
    for (std::int64_t run = 0; run < runs; ++run) {
      for (std::int64_t i = 0; i < length; ++i) {
        if (!visit(static_cast<std::size_t>(first + run * stride + i))) return false;
      }
    }
    return true;
  }
};

// Whether each element is an integer times `scale`; those are put into `integers`.
bool IsOnGrid(const std::vector<float>& values, const Channel& channel, float scale,
              std::int64_t& budget, std::vector<std::int64_t>& integers) {
  return channel.All([&](std::size_t at) {
    --budget;
    const float q = std::nearbyint(values[at] / scale);
    integers[at] = static_cast<std::int64_t>(q);
    return q >= -128.0F && q <= 127.0F && q * scale == values[at] && budget > 0;
  });
}

std::optional<float> ScaleOf(const std::vector<float>& values, const Channel& channel,
                             std::int64_t& budget, std::vector<std::int64_t>& integers) {
  float largest = 0.0F;
  const bool is_finite = channel.All([&](std::size_t at) {
    largest = std::max(largest, std::abs(values[at]));
    return std::isfinite(values[at]);
  });
  if (!is_finite) return std::nullopt;
  if (largest == 0.0F) return 1.0F;
  // The largest is one of them, too; quantizers that use the whole range are found first.
  for (int steps = 128; steps >= 1 && budget > 0; --steps) {
    const float nearest = largest / static_cast<float>(steps);
    const float below = std::nextafter(nearest, 0.0F);
    const float above = std::nextafter(nearest, std::numeric_limits<float>::infinity());
    for (const float scale : {nearest, below, above}) {
      if (!std::isnormal(scale) || static_cast<float>(steps) * scale != largest) continue;
      if (IsOnGrid(values, channel, scale, budget, integers)) return scale;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<WeightGrid> GridOf(const ConstantTensor& weights, std::size_t axis,
                                 std::int64_t& budget) {
  const Dims& dims = weights.dims();
  const std::int64_t count = NumElements(dims);
  if (count < 1 || budget < count) return std::nullopt;
  const std::int64_t inner = NumElements(std::span(dims).subspan(axis + 1));
  const std::int64_t stride = inner * dims[axis];
  const std::vector<float> values = FloatElements(weights);
  WeightGrid grid;
  grid.integers.resize(values.size());
  for (std::int64_t channel = 0; channel < dims[axis]; ++channel) {
    const auto scale =
        ScaleOf(values, {channel * inner, count / stride, stride, inner}, budget, grid.integers);
    if (!scale.has_value()) return std::nullopt;
    grid.scale.push_back(*scale);
  }
  return grid;
}

}  // namespace octet::onnx
