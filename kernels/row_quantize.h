// SPDX-License-Identifier: Apache-2.0
// Float32 to int8 or int16 and back.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/quantization.h"

namespace octet::kernels {

// How a row's scale follows from its elements.
enum class RowScaleFormula : std::uint8_t {
  kRange,      // range / (max |x| + epsilon), Keras
  kHalfSteps,  // 1 / max(max |x| / 127.5, epsilon), PyTorch: -128 to 127 are 255 steps
};

// One row is `row_size` consecutive elements: a row of a matrix, a token, an
// image.
struct RowQuantizeSpec {
  std::size_t num_rows = 0;
  std::size_t row_size = 0;
  std::int32_t range = 127;  // in [1, 127]; 127 for kHalfSteps
  float epsilon = 1e-7F;     // finite and at least 0
  RowScaleFormula formula = RowScaleFormula::kRange;
};

// Symmetric quantization, one scale a row (PTDQ):
//
//   row_scale[r]   = float(range) / (max over i of |in[r, i]| + epsilon)
//   out[r, i]      = clip(round_half_even(in[r, i] * row_scale[r]), -range,
//   range)
//
// or by the other formula, where the lowest integer is -128, all in float32. The scale is the
// reciprocal one: real = quantized / row_scale. Not finite values are defined, and equal
// everywhere: a NaN element is ignored by the maximum and becomes 0; a row that holds an infinity
// gets row_scale 0 and becomes all 0, so that dividing by it gives NaN, or an infinity, as float
// arithmetic would. A row of zeros gets range / epsilon, or 1 / epsilon; where that is not finite
// (epsilon 0), row_scale is 1.
//
// Sizes: in and out num_rows * row_size, row_scale num_rows. Exact on every
// instruction set.
using QuantizeRowsS8 = void (*)(const RowQuantizeSpec& spec, std::span<const float> in,
                                std::span<std::int8_t> out, std::span<float> row_scale);

// out[i] = clip(round_half_even(in[i] / scale) + zero_point, -128, 127); NaN
// gives the zero point. The zero point is in [-128, 127]. Rounds before it
// adds, as ONNX does. Exact everywhere.
using QuantizeS8 = void (*)(Scale scale, ZeroPoint zero_point, std::span<const float> in,
                            std::span<std::int8_t> out);

// out[i] = float(in[i] - zero_point) * scale.
using DequantizeS8 = void (*)(Scale scale, ZeroPoint zero_point, std::span<const std::int8_t> in,
                              std::span<float> out);

// The same to int16 and back, which is symmetric: no zero point, the bounds -32768 and 32767, and
// NaN gives 0.
using QuantizeS16 = void (*)(Scale scale, std::span<const float> in, std::span<std::int16_t> out);
using DequantizeS16 = void (*)(Scale scale, std::span<const std::int16_t> in, std::span<float> out);

// out[i] = clip(round_half_even(float(in[i] - in_zero_point) * multiplier) +
// out_zero_point,
//               -128, 127), where the multiplier is float32(in_scale /
//               out_scale).
struct RequantizeSpec {
  float multiplier = 1.0F;
  ZeroPoint in_zero_point{0};
  ZeroPoint out_zero_point{0};
};
using RequantizeS8 = void (*)(const RequantizeSpec& spec, std::span<const std::int8_t> in,
                              std::span<std::int8_t> out);

}  // namespace octet::kernels
