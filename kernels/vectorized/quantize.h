// SPDX-License-Identifier: Apache-2.0
// Quantization as loops that the compiler vectorizes. Private to this room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/elementary.h"
#include "kernels/row_quantize.h"

namespace octet::kernels {
namespace {  // NOLINT: each translation unit wants its own copy

// clip(round_half_even(value), lo, hi) for integers lo and hi within +-2^21
// and a value that is not NaN.
inline std::int32_t RoundClippedNumber(float value, float lo, float hi) {
  const float above = value < lo ? lo : value;
  const float bounded = above > hi ? hi : above;
  // The low bits of x + 1.5 * 2^23 are x rounded half to even.
  return FloatBits(bounded + 12582912.0F) - 0x4B400000;
}

// The same for any value; NaN gives nan_value.
inline std::int32_t RoundClipped(float value, float lo, float hi, float nan_value) {
  return RoundClippedNumber(value == value ? value : nan_value, lo, hi);
}

// The largest |x|; NaN is passed over. As integers, because those compare
// without exceptions for NaN and order equally.
inline float LargestMagnitude(const float* x, std::size_t size) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::int32_t bits = FloatBits(x[i]) & 0x7FFFFFFF;
    const std::int32_t number = bits > 0x7F800000 ? 0 : bits;
    largest = number > largest ? number : largest;
  }
  return BitsFloat(largest);
}

// The bits of the largest |x|; those of a NaN are above all others.
inline std::int32_t LargestBits(const float* x, std::size_t size) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::int32_t bits = FloatBits(x[i]) & 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// The factor of a row whose largest magnitude is `largest`.
inline float RowScale(const RowQuantizeSpec& spec, float largest) {
  float quotient = static_cast<float>(spec.range) / (largest + spec.epsilon);
  if (spec.formula == RowScaleFormula::kHalfSteps) {
    const float step = largest / 127.5F;
    quotient = 1.0F / (step > spec.epsilon ? step : spec.epsilon);
  }
  return quotient == kInfinity ? 1.0F : quotient;
}

inline void QuantizeRowsLoop(const RowQuantizeSpec& spec, std::span<const float> in,
                             std::span<std::int8_t> out, std::span<float> row_scale) {
  const bool may_clip = spec.formula == RowScaleFormula::kHalfSteps;
  const auto range = static_cast<float>(spec.range);
  const float lowest = may_clip ? -128.0F : -range;
  const std::size_t size = spec.row_size;
  for (std::size_t r = 0; r < spec.num_rows; ++r) {
    const float* source = in.data() + r * size;
    std::int8_t* target = out.data() + r * size;
    const std::int32_t largest_bits = LargestBits(source, size);
    const bool is_finite = largest_bits < 0x7F800000;
    const float largest = is_finite ? BitsFloat(largest_bits) : LargestMagnitude(source, size);
    const float scale = RowScale(spec, largest);
    row_scale.data()[r] = scale;
    if (is_finite && !may_clip) {
      // Nothing to clip: the products are at most range * (1 + 2^-23), which rounds to range. Their
      // integers are the low bits, as in RoundClippedNumber.
      for (std::size_t i = 0; i < size; ++i) {
        target[i] = static_cast<std::int8_t>(FloatBits(source[i] * scale + 12582912.0F));
      }
      continue;
    }
    for (std::size_t i = 0; i < size; ++i) {
      target[i] = static_cast<std::int8_t>(RoundClipped(source[i] * scale, lowest, range, 0.0F));
    }
  }
}

inline void QuantizeLoop(Scale scale, ZeroPoint zero_point, std::span<const float> in,
                         std::span<std::int8_t> out) {
  const float* source = in.data();
  std::int8_t* target = out.data();
  const std::size_t size = in.size();
  const std::int32_t zero = zero_point.value;
  const auto lo = static_cast<float>(-128 - zero);
  const auto hi = static_cast<float>(127 - zero);
  const float step = scale.value;
  for (std::size_t i = 0; i < size; ++i) {
    target[i] = static_cast<std::int8_t>(RoundClipped(source[i] / step, lo, hi, 0.0F) + zero);
  }
}

inline void QuantizeS16Loop(Scale scale, std::span<const float> in, std::span<std::int16_t> out) {
  const float* source = in.data();
  std::int16_t* target = out.data();
  const std::size_t size = in.size();
  const float step = scale.value;
  for (std::size_t i = 0; i < size; ++i) {
    target[i] =
        static_cast<std::int16_t>(RoundClipped(source[i] / step, -32768.0F, 32767.0F, 0.0F));
  }
}

inline void DequantizeS16Loop(Scale scale, std::span<const std::int16_t> in, std::span<float> out) {
  const std::int16_t* source = in.data();
  float* target = out.data();
  const std::size_t size = in.size();
  const float step = scale.value;
  for (std::size_t i = 0; i < size; ++i) target[i] = static_cast<float>(source[i]) * step;
}

inline void DequantizeLoop(Scale scale, ZeroPoint zero_point, std::span<const std::int8_t> in,
                           std::span<float> out) {
  const std::int8_t* source = in.data();
  float* target = out.data();
  const std::size_t size = in.size();
  const std::int32_t zero = zero_point.value;
  const float step = scale.value;
  for (std::size_t i = 0; i < size; ++i) {
    target[i] = static_cast<float>(source[i] - zero) * step;
  }
}

inline void RequantizeLoop(const RequantizeSpec& spec, std::span<const std::int8_t> in,
                           std::span<std::int8_t> out) {
  const std::int8_t* source = in.data();
  std::int8_t* target = out.data();
  const std::size_t size = in.size();
  const std::int32_t in_zero = spec.in_zero_point.value;
  const std::int32_t out_zero = spec.out_zero_point.value;
  const auto lo = static_cast<float>(-128 - out_zero);
  const auto hi = static_cast<float>(127 - out_zero);
  const float multiplier = spec.multiplier;
  for (std::size_t i = 0; i < size; ++i) {
    const float real = static_cast<float>(source[i] - in_zero) * multiplier;
    target[i] = static_cast<std::int8_t>(RoundClipped(real, lo, hi, 0.0F) + out_zero);
  }
}

}  // namespace
}  // namespace octet::kernels
