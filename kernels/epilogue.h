// SPDX-License-Identifier: Apache-2.0
// What happens to the sums of an integer matmul or convolution before they are
// stored.

#pragma once

#include <cstdint>
#include <span>

#include "kernels/activation.h"
#include "kernels/fixed_point.h"
#include "kernels/quantization.h"

namespace octet::kernels {

enum class EpilogueKind : std::uint8_t {
  // int32 out: acc (+ bias_s32).
  kNone,
  // float32 out, PTDQ. In float32 and in just this order:
  //   reciprocal: y = activation(float(acc) / (row_scale * weight_scale[j]) +
  //   bias_f32[j])
  //   multiply:   y = activation(float(acc) / row_scale * weight_scale[j] +
  //   bias_f32[j])
  kDynamic,
  // int8 out, PTSQ:
  //   q = clip(round_half_even(float(acc + bias_s32[j]) * multiplier[j]) +
  //   zero_point, lo, hi)
  kStatic,
  // int8 out, PTSQ in fixed point:
  //   q = clip(MultiplyFixedPoint(acc + bias_s32[j], fixed[j]) + zero_point, lo, hi)
  kStaticFixed,
  // float32 out, PTSQ: y = activation(float(acc + bias_s32[j]) *
  // multiplier[j]).
  kStaticFloat,
};

// How a weight's scale is meant: w = (q - zero_point) / scale, or w = (q -
// zero_point) * scale.
enum class ScaleConvention : std::uint8_t { kReciprocal, kMultiply };

// `j` is the output channel; a span holds one value a channel, or nothing where
// that is allowed. A prepare step copies what it needs; nothing here has to
// outlive it. Integer results, and float results of kDynamic and kStaticFloat,
// are equal bit for bit on every instruction set.
struct Epilogue {
  EpilogueKind kind = EpilogueKind::kNone;

  std::span<const std::int32_t> bias_s32 = {};  // all but kDynamic; may be empty

  std::span<const float> weight_scale = {};  // kDynamic; finite, not 0
  ScaleConvention convention = ScaleConvention::kReciprocal;
  std::span<const float> bias_f32 = {};  // kDynamic; may be empty

  std::span<const float> multiplier = {};       // kStatic and kStaticFloat; finite
  std::span<const FixedPointScale> fixed = {};  // kStaticFixed
  ZeroPoint out_zero_point{0};                  // kStatic, kStaticFixed; in [-128, 127]
  std::int32_t lo = -128;                       // the same; -128 <= lo <= hi <= 127
  std::int32_t hi = 127;
  Activation activation = {};  // kDynamic and kStaticFloat
};

// Where an integer kernel writes: the span of the epilogue's type, the others
// empty.
struct EpilogueOutput {
  std::span<std::int32_t> s32 = {};  // kNone
  std::span<float> f32 = {};         // kDynamic, kStaticFloat
  std::span<std::int8_t> s8 = {};    // kStatic, kStaticFixed
};

// What becomes of a number in the middle between two integers.
enum class HalfRounding : std::uint8_t {
  kEven,
  kAway,  // from zero
  kUp,
};

// Int16 activations, whose sums may be beyond int32. They are exact, and finished in float64:
//   kStatic, int16 out:        q = clip(round(real), lo, hi)
//   kStaticFloat, float32 out: y = activation(float(real))
//   real = double(acc + bias[j]) * multiplier[j], where |acc + bias[j]| is at most 2^53, so that
//   only the product is rounded
// With multipliers of 15 bits, which FixedMultiplierS16 makes, and HalfRounding::kUp this is
// TensorFlow Lite's product of an int64 in fixed point: |acc + bias[j]| is at most 2^38 for kUp, so
// that not even the product is rounded.
// Equal bit for bit on every instruction set. A prepare step copies what it needs.
struct EpilogueS16 {
  EpilogueKind kind = EpilogueKind::kStatic;  // or kStaticFloat
  std::span<const std::int64_t> bias = {};    // one a channel, or empty
  std::span<const double> multiplier = {};    // one a channel; finite, not 0 but for kUp
  HalfRounding rounding = HalfRounding::kEven;
  std::int32_t lo = -32768;  // kStatic; -32768 <= lo <= hi <= 32767
  std::int32_t hi = 32767;
  Activation activation = {};  // kStaticFloat
};

// The span of the epilogue's kind, the other empty.
struct EpilogueS16Output {
  std::span<std::int16_t> s16 = {};  // kStatic
  std::span<float> f32 = {};         // kStaticFloat
};

}  // namespace octet::kernels
