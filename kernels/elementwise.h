// SPDX-License-Identifier: Apache-2.0
// Arithmetic on two tensors, element by element.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/fixed_point.h"

namespace octet::kernels {

enum class BinaryKind : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,
  kMinimum,
  kPower,
};

// The dimensions of the result, outermost first, with each operand's step in
// elements along each; a stride of 0 broadcasts. Unused leading dimensions are
// left out: `rank` says how many count. out is contiguous. Callers should merge
// dimensions that can be: equal shapes are rank 1, a row added to a matrix is
// rank 2.
inline constexpr std::size_t kMaxBinaryRank = 8;
struct BinaryShape {
  std::size_t rank = 1;
  std::array<std::size_t, kMaxBinaryRank> dimensions{};
  std::array<std::size_t, kMaxBinaryRank> a_strides{};
  std::array<std::size_t, kMaxBinaryRank> b_strides{};
};

// out = activation(a op b). out may be the memory of an operand that is not
// broadcast. Equal bit for bit on every set, kPower excepted.
using BinaryF32 = void (*)(BinaryKind kind, const BinaryShape& shape, const Activation& activation,
                           std::span<const float> a, std::span<const float> b,
                           std::span<float> out);

// int8 and int16 add and multiply: each operand is dequantized, r = a_real op
// b_real in float32, and out = clip(round_half_even(r / out_scale) +
// out_zero_point, lo, hi). kind is kAdd or kMultiply.
struct BinaryQuantization {
  float a_scale = 1.0F;
  std::int32_t a_zero_point = 0;
  float b_scale = 1.0F;
  std::int32_t b_zero_point = 0;
  float out_scale = 1.0F;
  std::int32_t out_zero_point = 0;
  std::int32_t lo = -128;  // within the type; relu raises it
  std::int32_t hi = 127;
};
using BinaryS8 = void (*)(BinaryKind kind, const BinaryShape& shape,
                          const BinaryQuantization& quantization, std::span<const std::int8_t> a,
                          std::span<const std::int8_t> b, std::span<std::int8_t> out);
using BinaryS16 = void (*)(BinaryKind kind, const BinaryShape& shape,
                           const BinaryQuantization& quantization, std::span<const std::int16_t> a,
                           std::span<const std::int16_t> b, std::span<std::int16_t> out);

// int8 and int16 add, subtract and multiply in fixed point:
//   add, subtract: r = MultiplyFixedPoint((a - a_zero_point) << shift, a_scale) +- the same of b,
//                  with the shift kFixedBinaryShift of int8, kFixedBinaryShiftS16 of int16
//   multiply:      r = (a - a_zero_point) * (b - b_zero_point)
//   out = clip(MultiplyFixedPoint(r, out_scale) + out_zero_point, lo, hi)
// Zero points of int16 are 0. Equal on every set.
inline constexpr int kFixedBinaryShift = 20;
inline constexpr int kFixedBinaryShiftS16 = 15;
struct FixedBinaryQuantization {
  FixedPointScale a_scale = {};  // at most 1, as that of b; not of a product
  std::int32_t a_zero_point = 0;
  FixedPointScale b_scale = {};
  std::int32_t b_zero_point = 0;
  FixedPointScale out_scale = {};
  std::int32_t out_zero_point = 0;
  std::int32_t lo = -128;  // within the type
  std::int32_t hi = 127;
};
using BinaryFixedS8 = void (*)(BinaryKind kind, const BinaryShape& shape,
                               const FixedBinaryQuantization& quantization,
                               std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                               std::span<std::int8_t> out);
using BinaryFixedS16 = void (*)(BinaryKind kind, const BinaryShape& shape,
                                const FixedBinaryQuantization& quantization,
                                std::span<const std::int16_t> a, std::span<const std::int16_t> b,
                                std::span<std::int16_t> out);

}  // namespace octet::kernels
