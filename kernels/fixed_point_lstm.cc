// SPDX-License-Identifier: Apache-2.0
#include "kernels/fixed_point_lstm.h"

#include <algorithm>
#include <cmath>

namespace octet::kernels {
namespace {

constexpr std::int64_t kLowest = -32768;
constexpr std::int64_t kHighest = 32767;
// Bits behind the point of a gate before its function, and behind it.
constexpr int kGateBits = 12;
constexpr int kFunctionBits = 15;

std::int16_t Saturated(std::int64_t value) {
  return static_cast<std::int16_t>(std::clamp(value, kLowest, kHighest));
}

// MultiplyFixedPoint without cutting the result to 32 bits.
std::int64_t Multiply(std::int64_t x, const FixedPointScale& scale) {
  return (x * scale.multiplier + (x < 0 ? scale.round_negative : scale.round)) >> scale.shift;
}

std::int16_t ValueOf(const Int16Table& table, std::int64_t x) {
  return table[static_cast<std::size_t>(x - kLowest)];
}

std::vector<FixedPointScale> FixedScales(std::span<const double> scales, FixedRounding rounding) {
  std::vector<FixedPointScale> fixed;
  for (const double scale : scales) {
    fixed.push_back(MakeFixedPointScale(MakeFixedPointNumber(scale), rounding));
  }
  return fixed;
}

FixedPointScale PowerOf2(int exponent, FixedRounding rounding) {
  return MakeFixedPointScale(MakeFixedPointNumber(std::ldexp(1.0, exponent)), rounding);
}

double ReciprocalHiddenScale(Scale scale, LstmFormula formula) {
  const double reciprocal = std::ldexp(1.0, -2 * kFunctionBits) / static_cast<double>(scale.value);
  return formula == LstmFormula::kMicro ? reciprocal
                                        : static_cast<double>(static_cast<float>(reciprocal));
}

}  // namespace

FixedPointLstm::FixedPointLstm(const FixedPointLstmSpec& spec)
    : units_(spec.units),
      formula_(spec.formula),
      input_scale_(FixedScales(spec.input_scale, spec.rounding)),
      recurrent_scale_(FixedScales(spec.recurrent_scale, spec.rounding)),
      forget_scale_(PowerOf2(-kFunctionBits, spec.rounding)),
      update_scale_(PowerOf2(-2 * kFunctionBits - spec.cell_exponent, spec.rounding)),
      update_shift_(2 * kFunctionBits + spec.cell_exponent),
      hidden_scale_(MakeFixedPointScale(
          MakeFixedPointNumber(ReciprocalHiddenScale(spec.hidden_scale, spec.formula)),
          spec.rounding)),
      hidden_zero_point_(spec.hidden_zero_point.value),
      lowest_cell_(spec.cell_clip > 0 ? -spec.cell_clip : kLowest),
      highest_cell_(spec.cell_clip > 0 ? spec.cell_clip : kHighest) {
  if (formula_ == LstmFormula::kMicro) {
    const auto scale = [](int exponent) { return Scale{std::ldexp(1.0F, exponent)}; };
    sigmoid_ = FixedPointSigmoidTableS16(scale(-kGateBits));
    tanh_ = FixedPointTanhTableS16(scale(-kGateBits));
    cell_tanh_ = FixedPointTanhTableS16(scale(spec.cell_exponent));
  } else {
    sigmoid_ = GemmlowpSigmoidTableS16(kFunctionBits - kGateBits);
    tanh_ = GemmlowpTanhTableS16(kFunctionBits - kGateBits);
    cell_tanh_ = GemmlowpTanhTableS16(kFunctionBits + spec.cell_exponent);
  }
}

void FixedPointLstm::Project(std::span<const std::int32_t> sums,
                             std::span<std::int16_t> projected) const {
  const std::size_t width = input_scale_.size();
  for (std::size_t row = 0; row < sums.size(); row += width) {
    for (std::size_t j = 0; j < width; ++j) {
      projected[row + j] = Saturated(Multiply(sums[row + j], input_scale_[j]));
    }
  }
}

template <LstmFormula formula>
std::int64_t FixedPointLstm::NextCell(std::int32_t i, std::int32_t f, std::int32_t g,
                                      std::int32_t c) const {
  if constexpr (formula == LstmFormula::kMicro) {
    return Saturated(Multiply(std::int64_t{f} * c, forget_scale_)) +
           Saturated(Multiply(std::int64_t{i} * g, update_scale_));
  }
  return DivideByPowerOf2(f * c, kFunctionBits) + DivideByPowerOf2(i * g, update_shift_);
}

template <LstmFormula formula>
void FixedPointLstm::AdvanceBy(const Arguments& arguments) const {
  const auto gate = [&](std::size_t j) {
    const std::int64_t product = Multiply(arguments.sums[j], recurrent_scale_[j]);
    const std::int64_t term = formula == LstmFormula::kMicro ? Saturated(product) : product;
    return Saturated(arguments.projected[j] + term);
  };
  for (std::size_t u = 0; u < units_; ++u) {
    const std::int32_t i = ValueOf(sigmoid_, gate(u));
    const std::int32_t f = ValueOf(sigmoid_, gate(units_ + u));
    const std::int32_t g = ValueOf(tanh_, gate(2 * units_ + u));
    const std::int32_t o = ValueOf(sigmoid_, gate(3 * units_ + u));
    const std::int64_t sum = Saturated(NextCell<formula>(i, f, g, arguments.c[u]));
    const std::int64_t c = std::clamp(sum, lowest_cell_, highest_cell_);
    arguments.c[u] = static_cast<std::int16_t>(c);
    const std::int64_t h =
        Multiply(std::int64_t{o} * ValueOf(cell_tanh_, c), hidden_scale_) + hidden_zero_point_;
    arguments.h[u] = static_cast<std::int8_t>(std::clamp<std::int64_t>(h, -128, 127));
  }
}

void FixedPointLstm::Advance(const Arguments& arguments) const {
  if (formula_ == LstmFormula::kMicro) {
    AdvanceBy<LstmFormula::kMicro>(arguments);
  } else {
    AdvanceBy<LstmFormula::kLiteRt>(arguments);
  }
}

std::size_t FixedPointLstm::ByteSize() const {
  return sizeof(FixedPointScale) * (input_scale_.size() + recurrent_scale_.size()) +
         sizeof(std::int16_t) * (sigmoid_.size() + tanh_.size() + cell_tanh_.size());
}

}  // namespace octet::kernels
