// SPDX-License-Identifier: Apache-2.0
// One step in time of TensorFlow Lite's integer LSTM: int8 activations and weights, a cell state of
// int16, fixed point between them.
//
// Of the sums of products p of the inputs and r of the last hidden state, gate by gate:
//   z = sat(sat(p * input_scale) + r * recurrent_scale)       int16, in units of 2^-12
//   i, f, o = sigmoid(z);  g = tanh(z)                         int16, in units of 2^-15
//   c' = sat(f * c + i * g), clipped                           int16, in units of 2^cell_exponent
//   h' = clip(o * tanh(c') / hidden_scale + hidden_zero_point) int8
// where every product is rounded to an integer, and sat is what int16 holds.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/fixed_point.h"
#include "kernels/fixed_point_functions_s16.h"
#include "kernels/quantization.h"

namespace octet::kernels {

// Whose arithmetic. Both multiply by input_scale, recurrent_scale and 1 / hidden_scale in fixed
// point.
enum class LstmFormula : std::uint8_t {
  // TensorFlow Lite Micro's: sigmoid and tanh between points that are stored, r * recurrent_scale
  // is what int16 holds before it is added, the products of c' are rounded as those above, and what
  // int16 holds; 1 / hidden_scale is computed in float64.
  kMicro,
  // LiteRT's: gemmlowp's sigmoid and tanh of 16 bits, the products of c' are rounded once, half
  // away from zero; 1 / hidden_scale is rounded to float32.
  kLiteRt,
};

struct FixedPointLstmSpec {
  std::size_t units = 0;
  LstmFormula formula = LstmFormula::kMicro;
  FixedRounding rounding = FixedRounding::kDouble;
  // 4 * units each, finite and not negative: i, f, g and o of all units in this order, as all that
  // has the four of them. What a sum is multiplied by.
  std::span<const double> input_scale = {};
  std::span<const double> recurrent_scale = {};
  int cell_exponent = 0;       // in [-15, -9]
  std::int16_t cell_clip = 0;  // the largest magnitude of c'; 0 for any
  Scale hidden_scale;
  ZeroPoint hidden_zero_point;  // in [-128, 127]
};

// Thread safety: immutable.
class FixedPointLstm {
 public:
  static constexpr int kLowestCellExponent = -15;
  static constexpr int kHighestCellExponent = -9;

  // Copies what `spec` refers to. Precondition: all that is said there.
  explicit FixedPointLstm(const FixedPointLstmSpec& spec);

  // sat(p * input_scale), for any number of rows of p. Sizes are equal.
  void Project(std::span<const std::int32_t> sums, std::span<std::int16_t> projected) const;

  // One row.
  struct Arguments {
    std::span<const std::int16_t> projected;  // 4 * units, of Project
    std::span<const std::int32_t> sums;       // 4 * units: r
    std::span<std::int16_t> c;                // units; becomes c'
    std::span<std::int8_t> h;                 // units; written
  };
  void Advance(const Arguments& arguments) const;

  [[nodiscard]] std::size_t ByteSize() const;

 private:
  template <LstmFormula formula>
  void AdvanceBy(const Arguments& arguments) const;
  template <LstmFormula formula>
  [[nodiscard]] std::int64_t NextCell(std::int32_t i, std::int32_t f, std::int32_t g,
                                      std::int32_t c) const;

  std::size_t units_;
  LstmFormula formula_;
  std::vector<FixedPointScale> input_scale_;
  std::vector<FixedPointScale> recurrent_scale_;
  FixedPointScale forget_scale_;  // of f * c, and of i * g: kMicro's
  FixedPointScale update_scale_;
  int update_shift_;  // of i * g: kLiteRt's
  FixedPointScale hidden_scale_;
  std::int32_t hidden_zero_point_;
  std::int64_t lowest_cell_;
  std::int64_t highest_cell_;
  Int16Table sigmoid_;
  Int16Table tanh_;       // of a gate
  Int16Table cell_tanh_;  // of the cell state
};

}  // namespace octet::kernels
