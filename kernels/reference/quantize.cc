// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/reference/reference.h"

namespace octet::kernels::reference {

std::int32_t RoundAndClip(double value, std::int32_t zero_point, std::int32_t lo, std::int32_t hi) {
  if (std::isnan(value)) return std::clamp(zero_point, lo, hi);
  // Beyond these bounds the result is clipped in any case, and the conversion
  // would overflow.
  const double bounded = std::clamp(value, -100000.0, 100000.0);
  const auto rounded = static_cast<std::int32_t>(std::nearbyint(bounded));
  return std::clamp(rounded + zero_point, lo, hi);
}

namespace {

std::int8_t RoundToS8(float value, std::int32_t zero_point, std::int32_t lo, std::int32_t hi) {
  return static_cast<std::int8_t>(RoundAndClip(value, zero_point, lo, hi));
}

}  // namespace

void QuantizeRowsS8(const RowQuantizeSpec& spec, std::span<const float> in,
                    std::span<std::int8_t> out, std::span<float> row_scale) {
  for (std::size_t r = 0; r < spec.num_rows; ++r) {
    const auto row = in.subspan(r * spec.row_size, spec.row_size);
    float largest = 0.0F;
    for (const float x : row) {
      if (std::abs(x) > largest) largest = std::abs(x);  // false for NaN
    }
    const bool has_half_steps = spec.formula == RowScaleFormula::kHalfSteps;
    const float quotient = has_half_steps
                               ? 1.0F / std::max(largest / 127.5F, spec.epsilon)
                               : static_cast<float>(spec.range) / (largest + spec.epsilon);
    const float scale = std::isinf(quotient) ? 1.0F : quotient;
    row_scale[r] = scale;
    const std::int32_t lowest = has_half_steps ? -128 : -spec.range;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out[r * spec.row_size + i] = RoundToS8(row[i] * scale, 0, lowest, spec.range);
    }
  }
}

void QuantizeS8(Scale scale, ZeroPoint zero_point, std::span<const float> in,
                std::span<std::int8_t> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = RoundToS8(in[i] / scale.value, zero_point.value, -128, 127);
  }
}

void DequantizeS8(Scale scale, ZeroPoint zero_point, std::span<const std::int8_t> in,
                  std::span<float> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = static_cast<float>(in[i] - zero_point.value) * scale.value;
  }
}

void RequantizeS8(const RequantizeSpec& spec, std::span<const std::int8_t> in,
                  std::span<std::int8_t> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float real = static_cast<float>(in[i] - spec.in_zero_point.value) * spec.multiplier;
    out[i] = RoundToS8(real, spec.out_zero_point.value, -128, 127);
  }
}

void QuantizeS16(Scale scale, std::span<const float> in, std::span<std::int16_t> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = static_cast<std::int16_t>(RoundAndClip(in[i] / scale.value, 0, -32768, 32767));
  }
}

void DequantizeS16(Scale scale, std::span<const std::int16_t> in, std::span<float> out) {
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = static_cast<float>(in[i]) * scale.value;
}

}  // namespace octet::kernels::reference
