// SPDX-License-Identifier: Apache-2.0

#include "models/operators/fixed_point_tables.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace octet {
namespace {

using kernels::ActivationKind;
using kernels::FixedPointNumber;
using kernels::FixedPointScale;
using kernels::FixedRounding;
using kernels::Int8Table;

// function(q - zero_point) + the output's zero point, clipped to int8 from `lo` to `hi`.
template <typename Function>
Int8Table MakeTable(const TensorQuantization& from, const TensorQuantization& to,
                    const Function& function, std::int64_t lo = -128, std::int64_t hi = 127) {
  Int8Table table;
  for (std::int32_t q = -128; q < 128; ++q) {
    const std::int64_t y = std::int64_t{function(q - from.zero_point.value)} + to.zero_point.value;
    table[static_cast<std::uint8_t>(q + 128)] = static_cast<std::int8_t>(std::clamp(y, lo, hi));
  }
  return table;
}

FixedPointScale MakeScale(double real, FixedRounding rounding) {
  return kernels::MakeFixedPointScale(kernels::MakeFixedPointNumber(real), rounding);
}

// As TensorFlow Lite's kernels of activations divide scales: in float32.
FixedPointScale MakeQuotient(const TensorQuantization& from, const TensorQuantization& to,
                             FixedRounding rounding) {
  return MakeScale(static_cast<double>(from.scale.value / to.scale.value), rounding);
}

bool IsPlainRelu(const kernels::Activation& relu) {
  return relu.alpha == 0.0F && relu.threshold == 0.0F &&
         relu.beta == std::numeric_limits<float>::infinity();
}

Int8Table ReluTable(const TensorQuantization& from, const TensorQuantization& to,
                    FixedRounding rounding) {
  const FixedPointScale scale = MakeQuotient(from, to, rounding);
  return MakeTable(
      from, to, [&](std::int32_t x) { return kernels::MultiplyFixedPoint(x, scale); },
      to.zero_point.value);
}

// One between equal quantizations only clips.
std::optional<Int8Table> Relu6Table(const TensorQuantization& from, const TensorQuantization& to) {
  if (from != to) return std::nullopt;
  const double six = std::round(static_cast<double>(6.0F / to.scale.value)) + to.zero_point.value;
  const std::int64_t hi = six < 127.0 ? static_cast<std::int64_t>(six) : 127;
  return MakeTable(
      from, to, [](std::int32_t x) { return x; }, to.zero_point.value, hi);
}

Int8Table LeakyReluTable(float alpha, const TensorQuantization& from, const TensorQuantization& to,
                         FixedRounding rounding) {
  const FixedPointScale identity = MakeQuotient(from, to, rounding);
  const float slope = from.scale.value * alpha / to.scale.value;
  const FixedPointScale negative = MakeScale(static_cast<double>(std::abs(slope)), rounding);
  return MakeTable(from, to, [&](std::int32_t x) {
    if (x >= 0) return kernels::MultiplyFixedPoint(x, identity);
    const std::int32_t y = kernels::MultiplyFixedPoint(x, negative);
    return slope < 0.0F ? -y : y;
  });
}

// --- hard_silu, in 16 bits.

std::int32_t Saturated16(std::int64_t x) {
  return static_cast<std::int32_t>(std::clamp(x, std::int64_t{-32768}, std::int64_t{32767}));
}
// a * b / 2^15, rounded half up.
std::int32_t RoundedProduct16(std::int32_t a, std::int32_t b) {
  return Saturated16((std::int64_t{a} * b + (1 << 14)) >> 15);
}
// The same, cut towards 0.
std::int32_t CutProduct16(std::int32_t a, std::int32_t b) {
  return Saturated16(std::int64_t{a} * b / (1 << 15));
}
// A multiplier of 31 bits in 15.
std::int32_t Multiplier16(const FixedPointNumber& number) {
  return Saturated16((std::int64_t{number.multiplier} + (1 << 15)) >> 16);
}

std::optional<Int8Table> HardSiluTable(const TensorQuantization& from,
                                       const TensorQuantization& to) {
  // Inputs are taken times 2^7, and what the product is multiplied by is -1 to 1 for -3 to 3.
  const float input_scale = (1.0F / 128.0F) * from.scale.value;
  const FixedPointNumber output =
      kernels::MakeFixedPointNumber(static_cast<double>(input_scale / to.scale.value));
  const FixedPointNumber gate =
      kernels::MakeFixedPointNumber(static_cast<double>(input_scale / (3.0F / 32768.0F)));
  if (output.exponent > 0) return std::nullopt;  // TensorFlow Lite Micro refuses it
  return MakeTable(from, to, [&](std::int32_t x) {
    const std::int32_t fine = x * 128;
    std::int32_t factor = fine;
    if (gate.exponent > 0) {
      factor = Saturated16(std::int64_t{factor} << (gate.exponent - 1));
    }
    factor = RoundedProduct16(factor, Multiplier16(gate));
    if (gate.exponent > 0) factor = Saturated16(std::int64_t{factor} * 2);
    if (gate.exponent < 0) factor = kernels::DivideByPowerOf2(factor, -gate.exponent);
    factor = (factor + (1 << 15)) >> 1;  // from -1..1 to 0..1
    const std::int32_t scaled = RoundedProduct16(fine, Multiplier16(output));
    return kernels::DivideByPowerOf2(CutProduct16(factor, scaled), -output.exponent);
  });
}

// --- int16

// function(q), clipped to int16 from `lo` to `hi`.
template <typename Function>
kernels::Int16Table MakeTableS16(const Function& function, std::int64_t lo = -32768,
                                 std::int64_t hi = 32767) {
  kernels::Int16Table table;
  table.reserve(65536);
  for (std::int32_t q = -32768; q < 32768; ++q) {
    table.push_back(static_cast<std::int16_t>(std::clamp(std::int64_t{function(q)}, lo, hi)));
  }
  return table;
}

kernels::Int16Table LeakyReluTableS16(float alpha, const TensorQuantization& from,
                                      const TensorQuantization& to, FixedRounding rounding) {
  const FixedPointScale identity = MakeQuotient(from, to, rounding);
  const float slope = from.scale.value * alpha / to.scale.value;
  const FixedPointScale negative = MakeScale(static_cast<double>(std::abs(slope)), rounding);
  return MakeTableS16([&](std::int32_t x) {
    if (x >= 0) return kernels::MultiplyFixedPoint(x, identity);
    const std::int32_t y = kernels::MultiplyFixedPoint(x, negative);
    return slope < 0.0F ? -y : y;
  });
}

}  // namespace

template <typename In, typename Out>
std::vector<Out> FixedPointRequantizeTableOf(const TensorQuantization& from,
                                             const TensorQuantization& to, FixedRounding rounding) {
  const FixedPointScale scale = MakeScale(
      static_cast<double>(from.scale.value) / static_cast<double>(to.scale.value), rounding);
  std::vector<Out> table;
  for (std::int32_t q = std::numeric_limits<In>::min(); q <= std::numeric_limits<In>::max(); ++q) {
    const std::int64_t y =
        std::int64_t{kernels::MultiplyFixedPoint(q - from.zero_point.value, scale)} +
        to.zero_point.value;
    table.push_back(static_cast<Out>(std::clamp<std::int64_t>(y, std::numeric_limits<Out>::min(),
                                                              std::numeric_limits<Out>::max())));
  }
  return table;
}
template std::vector<std::int8_t> FixedPointRequantizeTableOf<std::int16_t, std::int8_t>(
    const TensorQuantization&, const TensorQuantization&, FixedRounding);
template std::vector<std::int16_t> FixedPointRequantizeTableOf<std::int16_t, std::int16_t>(
    const TensorQuantization&, const TensorQuantization&, FixedRounding);
template std::vector<std::int16_t> FixedPointRequantizeTableOf<std::int8_t, std::int16_t>(
    const TensorQuantization&, const TensorQuantization&, FixedRounding);

std::optional<kernels::Int16Table> FixedPointActivationTableS16(
    const kernels::Activation& activation, const TensorQuantization& from,
    const TensorQuantization& to, FixedRounding rounding) {
  const FixedPointScale scale = MakeQuotient(from, to, rounding);
  const auto rescaled = [&scale](std::int32_t x) { return kernels::MultiplyFixedPoint(x, scale); };
  const bool is_unit = to.scale.value == 1.0F / 32768.0F;
  switch (activation.kind) {
    case ActivationKind::kRelu:
      if (!IsPlainRelu(activation)) return std::nullopt;
      return MakeTableS16(rescaled, 0);
    case ActivationKind::kRelu6: {
      const double six = std::round(static_cast<double>(6.0F / to.scale.value));
      return MakeTableS16(rescaled, 0, static_cast<std::int64_t>(std::min(six, 32767.0)));
    }
    case ActivationKind::kLeakyRelu:
      return LeakyReluTableS16(activation.alpha, from, to, rounding);
    case ActivationKind::kSigmoid:
      if (!is_unit) return std::nullopt;
      return kernels::FixedPointSigmoidTableS16(from.scale);
    case ActivationKind::kTanh:
      if (!is_unit) return std::nullopt;
      return kernels::FixedPointTanhTableS16(from.scale);
    default:
      return std::nullopt;
  }
}

Int8Table FixedPointRequantizeTable(const TensorQuantization& from, const TensorQuantization& to,
                                    FixedRounding rounding) {
  const FixedPointScale scale = MakeScale(
      static_cast<double>(from.scale.value) / static_cast<double>(to.scale.value), rounding);
  return MakeTable(from, to, [&](std::int32_t x) { return kernels::MultiplyFixedPoint(x, scale); });
}

std::optional<Int8Table> FixedPointActivationTable(const kernels::Activation& activation,
                                                   const TensorQuantization& from,
                                                   const TensorQuantization& to,
                                                   FixedRounding rounding) {
  const auto gives = [&to](float scale, std::int32_t zero_point) {
    return to == TensorQuantization{kernels::Scale{scale}, kernels::ZeroPoint{zero_point}};
  };
  switch (activation.kind) {
    case ActivationKind::kRelu:
      if (!IsPlainRelu(activation)) return std::nullopt;
      return ReluTable(from, to, rounding);
    case ActivationKind::kRelu6:
      return Relu6Table(from, to);
    case ActivationKind::kLeakyRelu:
      return LeakyReluTable(activation.alpha, from, to, rounding);
    case ActivationKind::kHardSilu:
      return HardSiluTable(from, to);
    case ActivationKind::kSigmoid:
      if (!gives(1.0F / 256.0F, -128)) return std::nullopt;
      return kernels::FixedPointSigmoidTable(from.scale, from.zero_point, rounding);
    case ActivationKind::kTanh:
      if (!gives(1.0F / 128.0F, 0)) return std::nullopt;
      return kernels::FixedPointTanhTable(from.scale, from.zero_point, rounding);
    default:
      return std::nullopt;
  }
}

}  // namespace octet
