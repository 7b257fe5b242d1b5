// SPDX-License-Identifier: Apache-2.0
#include "kernels/fixed_point_functions_s16.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace octet::kernels {
namespace {

constexpr std::int32_t kLowest = -32768;
constexpr std::int32_t kHighest = 32767;
constexpr std::size_t kNumValues = 65536;

std::int16_t Saturated(std::int64_t x) {
  return static_cast<std::int16_t>(std::clamp<std::int64_t>(x, kLowest, kHighest));
}

// --- Sigmoid and tanh: 256 points of the sigmoid from 0 on, in steps of 1/24.

constexpr std::size_t kNumPoints = 256;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// In units of 2^-16. A line between two points lies below the function: each is raised by half of
// what the lines beside it are off in their middle. The last one is what all larger x have.
std::array<std::uint32_t, kNumPoints> SigmoidPoints() {
  constexpr double kStep = 1.0 / 24.0;
  constexpr double kUnit = 65536.0;
  const auto middle_error = [](double from, double to) {
    return Sigmoid((from + to) / 2.0) - (Sigmoid(from) + Sigmoid(to)) / 2.0;
  };
  std::array<std::uint32_t, kNumPoints> points{};
  for (std::size_t i = 0; i < kNumPoints; ++i) {
    const double x = static_cast<double>(i) * kStep;
    const double raise = (middle_error(x, x + kStep) + middle_error(x - kStep, x)) / 4.0;
    points[i] = static_cast<std::uint32_t>(std::floor(kUnit * (Sigmoid(x) + raise) + 0.5));
  }
  points.back() = 65535;
  return points;
}

// x * multiplier / 2^shift is x in units of 1 / (3 * 4096).
struct PointScale {
  std::int64_t multiplier = 0;
  int shift = 0;
};

// `largest_power`: of scales that are 2^-12 times a power of two up to 2^largest_power, x is only
// multiplied.
PointScale MakePointScale(Scale scale, int largest_power) {
  const float log2 = std::log(scale.value) * (1.0F / std::log(2.0F));
  const float rounded = std::round(log2);
  const int power = 12 + static_cast<int>(rounded);
  if (std::abs(log2 - rounded) < 1e-3F && power >= 0 && power <= largest_power) {
    return {.multiplier = std::int64_t{3} << power, .shift = 0};
  }
  double multiplier = static_cast<double>(scale.value) * 4096.0 * 3.0;
  int shift = 0;
  while (multiplier <= 32767.0 / 2.0 && shift <= 30) {
    ++shift;
    multiplier *= 2.0;
  }
  return {.multiplier = static_cast<std::int64_t>(std::min(multiplier, 2147483647.0)),
          .shift = shift};
}

// function(x) for each value, with x in those units.
template <typename Function>
Int16Table MakeTable(const PointScale& scale, const Function& function) {
  Int16Table table(kNumValues);
  const std::int64_t round = scale.shift > 0 ? std::int64_t{1} << (scale.shift - 1) : 0;
  for (std::int32_t value = kLowest; value <= kHighest; ++value) {
    const std::int64_t x = (value * scale.multiplier + round) >> scale.shift;
    table[static_cast<std::size_t>(value - kLowest)] = Saturated(function(x));
  }
  return table;
}

// The sigmoid of `magnitude` / 2^fraction_bits steps in units of 2^-(16 + fraction_bits), at most
// `most`.
std::int64_t SigmoidBetweenPoints(const std::array<std::uint32_t, kNumPoints>& points,
                                  std::int64_t magnitude, int fraction_bits, std::int64_t most) {
  const std::int64_t at = magnitude >> fraction_bits;
  if (at >= static_cast<std::int64_t>(kNumPoints) - 1) return most;
  const std::int64_t from = points[static_cast<std::size_t>(at)];
  const std::int64_t to = points[static_cast<std::size_t>(at) + 1];
  const std::int64_t fraction = magnitude & ((std::int64_t{1} << fraction_bits) - 1);
  return (from << fraction_bits) + fraction * (to - from);
}

// --- Softmax: 513 points, 128 values apart.

constexpr int kSegments = 512;

// Points of `function` from `from` to `to` in units of 2^-15, each moved by half of what the line
// to the next is off in its middle. `unit` is one over 2^-15 as TensorFlow Lite computes it.
template <typename Function>
std::vector<std::int16_t> MakePoints(double from, double to, const Function& function) {
  constexpr double kOutputScale = 2.0 / 65535.0;
  const double unit = 65536.0 / (kOutputScale * kHighest - kOutputScale * kLowest);
  const double step = (to - from) / kSegments;
  std::vector<std::int16_t> points;
  for (int i = 0; i < kSegments; ++i) {
    const double x = from + i * step;
    const double sample = std::round(function(x) * unit);
    const double next = function(from + (i + 1) * step) * unit;
    const double middle = std::round(function(x + step / 2.0) * unit);
    const double error = std::round((next + sample) / 2.0) - middle;
    points.push_back(Saturated(static_cast<std::int64_t>(sample - std::round(error / 2.0))));
  }
  points.push_back(Saturated(static_cast<std::int64_t>(std::round(function(to) * unit))));
  return points;
}

std::int16_t BetweenPoints(std::span<const std::int16_t> points, std::int16_t value) {
  const auto at = static_cast<std::size_t>(kSegments / 2 + (value >> 7));
  const std::int32_t slope = points[at + 1] - points[at];
  return static_cast<std::int16_t>(points[at] + ((slope * (value & 0x7F) + 64) >> 7));
}

// --- gemmlowp's functions of 16 bits. "In Qm": with m integer bits and 15 - m behind them.

// A constant that is written down in 32 bits.
std::int32_t Narrow(std::int32_t constant) { return DivideByPowerOf2(constant, 16); }

// Of numbers in Qa and Qb, in Q(a + b); rounded half up.
std::int32_t Product(std::int32_t a, std::int32_t b) {
  return Saturated((std::int64_t{a} * b + (1 << 14)) >> 15);
}

// exp(x) in Q0 for x in Q0, from -1/4 to 0: the Taylor series around -1/8.
std::int32_t ExpAboveMinusQuarter(std::int32_t x) {
  const std::int32_t exp_of_minus_eighth = Narrow(1895147668);
  const std::int32_t third = Narrow(715827883);
  const std::int32_t d = x + (1 << 12);
  const std::int32_t d2 = Product(d, d);
  const std::int32_t d3 = Product(d2, d);
  const std::int32_t d4 = Product(d2, d2);
  const std::int32_t higher =
      DivideByPowerOf2(Product(DivideByPowerOf2(d4, 2) + d3, third) + d2, 1);
  return Saturated(exp_of_minus_eighth + Product(exp_of_minus_eighth, d + higher));
}

// exp(x) in Q0 for x in Q`integer_bits`, at most 0; integer_bits is in [0, 7].
std::int32_t Exp(std::int32_t x, int integer_bits) {
  if (x == 0) return kHighest;
  // Below -32, where that is a number.
  if (integer_bits > 5 && x < -(1 << (20 - integer_bits))) return 0;
  const int fraction_bits = 15 - integer_bits;
  const std::int32_t quarter = 1 << (fraction_bits - 2);
  const std::int32_t rest = (x & (quarter - 1)) - quarter;  // from -1/4 to 0
  std::int32_t result = ExpAboveMinusQuarter(rest << integer_bits);
  const std::int32_t quarters = rest - x;
  // exp(-2^i), for i from -2 on.
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308,
                                       39332535,   720401,     242};
  for (int i = -2; i < std::min(integer_bits, 5); ++i) {
    if ((quarters & (1 << (fraction_bits + i))) != 0) {
      result = Product(result, Narrow(kFactors[i + 2]));
    }
  }
  return result;
}

// 2 / (1 + x) in Q2 for x in Q0, at least 0, by Newton's method.
std::int32_t DoubleReciprocalOfOnePlus(std::int32_t x) {
  const std::int32_t half = (x + kHighest + 1) / 2;
  std::int32_t y = Narrow(1515870810) + Product(half, Narrow(-1010580540));  // 48/17, -32/17
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = (1 << 13) - Product(half, y);
    y += Saturated(std::int64_t{Product(y, error)} * 4);
  }
  return y;
}

std::int32_t Sigmoid16(std::int32_t x, int integer_bits) {
  if (x == 0) return 1 << 14;
  const std::int32_t e = Exp(x > 0 ? -x : x, integer_bits);
  const std::int32_t positive = Saturated(std::int64_t{DoubleReciprocalOfOnePlus(e)} * 2);
  return x > 0 ? positive : kHighest - positive;
}

std::int32_t Tanh16(std::int32_t x, int integer_bits) {
  if (x == 0) return 0;
  // (1 - e) / (1 + e) = 2 / (1 + e) - 1, where e is exp(-2 |x|).
  const std::int32_t e = Exp(x > 0 ? -x : x, integer_bits + 1);
  const std::int32_t positive =
      Saturated((std::int64_t{DoubleReciprocalOfOnePlus(e)} - (1 << 13)) * 4);
  return x > 0 ? positive : -positive;
}

template <typename Function>
Int16Table MakeGemmlowpTable(int integer_bits, const Function& function) {
  Int16Table table(kNumValues);
  for (std::int32_t value = kLowest; value <= kHighest; ++value) {
    table[static_cast<std::size_t>(value - kLowest)] = Saturated(function(value, integer_bits));
  }
  return table;
}

}  // namespace

Int16Table GemmlowpSigmoidTableS16(int integer_bits) {
  return MakeGemmlowpTable(integer_bits, Sigmoid16);
}

Int16Table GemmlowpTanhTableS16(int integer_bits) {
  return MakeGemmlowpTable(integer_bits, Tanh16);
}

Int16Table FixedPointSigmoidTableS16(Scale scale) {
  const auto points = SigmoidPoints();
  return MakeTable(MakePointScale(scale, 0), [&](std::int64_t x) {
    const std::int64_t y = SigmoidBetweenPoints(points, std::abs(x), 9, std::int64_t{0x7FFF} << 10);
    // 1 - y for negative x, rounded as y is.
    const std::int64_t signed_y =
        x >= 0 ? y + (1 << 9) : (std::int64_t{1} << 25) - y + (1 << 9) - 1;
    return signed_y >> 10;
  });
}

Int16Table FixedPointTanhTableS16(Scale scale) {
  const auto points = SigmoidPoints();
  // tanh(x) = 2 * sigmoid(2 * x) - 1.
  return MakeTable(MakePointScale(scale, 1), [&](std::int64_t x) {
    constexpr std::int64_t kHalf = std::int64_t{1} << 23;
    const std::int64_t y = SigmoidBetweenPoints(points, std::abs(x), 8, std::int64_t{0xFFFF} << 8);
    const std::int64_t signed_y = x >= 0 ? y - kHalf + (1 << 7) : kHalf - y + (1 << 7) - 1;
    return signed_y >> 8;
  });
}

FixedPointSoftmaxS16::FixedPointSoftmaxS16(Scale scale, float beta, FixedRounding rounding)
    : exp_(kNumValues) {
  // exp from -10 to 0: what is below counts as -10.
  constexpr double kExpScale = 10.0 / 65535.0;
  const std::vector<std::int16_t> points =
      MakePoints(kExpScale * (kLowest - kHighest), 0.0, [](double x) { return std::exp(x); });
  constexpr double kReciprocalScale = 1.0 / 65535.0;
  reciprocal_ = MakePoints(0.0, kReciprocalScale * (kHighest - kLowest),
                           [](double x) { return 1.0 / (1.0 + x); });
  // From 2^17 on only the largest value of a row counts.
  const double real = std::min(static_cast<double>(scale.value * beta) / kExpScale, 0x1p20);
  const FixedPointScale factor = MakeFixedPointScale(MakeFixedPointNumber(real), rounding);
  for (std::int32_t difference = 0; difference < static_cast<std::int32_t>(kNumValues);
       ++difference) {
    // Beyond, a product in fixed point would leave int32.
    const bool is_below = difference * real > 2.0 * kNumValues;
    const std::int64_t scaled = is_below ? 2 * kLowest : MultiplyFixedPoint(-difference, factor);
    exp_[static_cast<std::size_t>(difference)] =
        BetweenPoints(points, Saturated(scaled + kHighest));
  }
}

void FixedPointSoftmaxS16::Run(std::span<const std::int16_t> in,
                               std::span<std::int16_t> out) const {
  if (in.empty()) return;
  const std::int32_t largest = *std::max_element(in.begin(), in.end());
  std::uint32_t sum = 0;  // in units of 2^-15
  for (const std::int16_t x : in) {
    sum += static_cast<std::uint32_t>(exp_[static_cast<std::size_t>(largest - x)]);
  }
  // sum is 2^exponent * (1 + fraction).
  const int headroom = std::countl_zero(sum);
  const std::int64_t mantissa =
      ((static_cast<std::int64_t>(sum) << (headroom - 1)) + (1 << 13)) >> 14;
  const std::int16_t fraction = Saturated(mantissa - (1 << 16) - (1 << 15));
  const std::int64_t reciprocal = BetweenPoints(reciprocal_, fraction);
  const int shift = 31 - headroom;
  const std::int64_t round = std::int64_t{1} << (shift - 1);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::int64_t e = exp_[static_cast<std::size_t>(largest - in[i])];
    out[i] = static_cast<std::int16_t>(
        std::clamp<std::int64_t>((e * reciprocal + round) >> shift, 0, kHighest));
  }
}

}  // namespace octet::kernels
