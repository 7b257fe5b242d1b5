// SPDX-License-Identifier: Apache-2.0
// What TensorFlow Lite Micro gives for whole models:
// tests/models/importers/tflite_micro_peer_test.py.

#include "models/operators/fixed_point_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using kernels::ActivationKind;
using kernels::DefaultActivation;
using kernels::FixedRounding;

std::int8_t At(const kernels::Int8Table& table, int q) {
  return table[static_cast<std::size_t>(q + 128)];
}

TEST(FixedPointTablesTest, ReluAndRelu6Clip) {
  const TensorQuantization same = Quantization(0.1F, -10);
  const auto relu = FixedPointActivationTable(DefaultActivation(ActivationKind::kRelu), same, same,
                                              FixedRounding::kDouble);
  const auto relu6 = FixedPointActivationTable(DefaultActivation(ActivationKind::kRelu6), same,
                                               same, FixedRounding::kDouble);
  ASSERT_TRUE(relu.has_value());
  ASSERT_TRUE(relu6.has_value());
  for (int q = -128; q < 128; ++q) {
    EXPECT_EQ(At(*relu, q), std::max(q, -10));
    EXPECT_EQ(At(*relu6, q), std::clamp(q, -10, 50));
  }
}

TEST(FixedPointTablesTest, AreWithinOneStepOfTheFunction) {
  const TensorQuantization from = Quantization(0.05F, 3);
  struct Case {
    ActivationKind kind;
    TensorQuantization to;
    double (*function)(double);
  };
  const Case cases[] = {
      {ActivationKind::kRelu, Quantization(0.03F, -120), [](double x) { return std::max(x, 0.0); }},
      {ActivationKind::kLeakyRelu, Quantization(0.06F, -20),
       [](double x) { return x >= 0.0 ? x : 0.2 * x; }},
      {ActivationKind::kHardSilu, Quantization(0.03F, -90),
       [](double x) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }},
      {ActivationKind::kSigmoid, Quantization(1.0F / 256.0F, -128),
       [](double x) { return 1.0 / (1.0 + std::exp(-x)); }},
      {ActivationKind::kTanh, Quantization(1.0F / 128.0F, 0),
       [](double x) { return std::tanh(x); }},
  };
  for (const Case& c : cases) {
    for (const FixedRounding rounding : {FixedRounding::kDouble, FixedRounding::kSingle}) {
      const auto table = FixedPointActivationTable(DefaultActivation(c.kind), from, c.to, rounding);
      ASSERT_TRUE(table.has_value());
      for (int q = -128; q < 128; ++q) {
        const double real = c.function((q - 3) * static_cast<double>(0.05F));
        const double wanted = real / static_cast<double>(c.to.scale.value) + c.to.zero_point.value;
        EXPECT_NEAR(At(*table, q), std::clamp(wanted, -128.0, 127.0), 1.0)
            << static_cast<int>(c.kind) << " of " << q;
      }
    }
  }
}

TEST(FixedPointTablesTest, OthersHaveNone) {
  const TensorQuantization from = Quantization(0.05F, 3);
  const auto has = [&](const kernels::Activation& activation, const TensorQuantization& to) {
    return FixedPointActivationTable(activation, from, to, FixedRounding::kDouble).has_value();
  };
  EXPECT_FALSE(has(DefaultActivation(ActivationKind::kElu), from));
  EXPECT_FALSE(has(DefaultActivation(ActivationKind::kSigmoid), from));
  EXPECT_FALSE(has(DefaultActivation(ActivationKind::kTanh), Quantization(1.0F / 128.0F, 1)));
  EXPECT_FALSE(has(DefaultActivation(ActivationKind::kRelu6), Quantization(0.06F, 3)));
  kernels::Activation bounded = DefaultActivation(ActivationKind::kRelu);
  bounded.beta = 1.0F;
  EXPECT_FALSE(has(bounded, from));
}

}  // namespace
}  // namespace octet
