// SPDX-License-Identifier: Apache-2.0

#include "models/operators/gru.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class GruTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(GruTest);

constexpr std::size_t kSteps = 5;
constexpr std::size_t kWidth = 3;
constexpr std::size_t kUnits = 4;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// One row through time, as Keras's GRUCell computes it.
std::vector<float> Expected(const std::vector<float>& x, const std::vector<float>& kernel,
                            const std::vector<float>& recurrent, const std::vector<float>& bias,
                            bool resets_after) {
  std::vector<double> h(kUnits, 0.0);
  const auto column = [&](const std::vector<double>& v, std::size_t j) {
    double sum = 0;
    for (std::size_t p = 0; p < kUnits; ++p) {
      sum += v[p] * static_cast<double>(recurrent[p * 3 * kUnits + j]);
    }
    return sum;
  };
  const auto recurrent_bias = [&](std::size_t j) {
    return resets_after ? static_cast<double>(bias[3 * kUnits + j]) : 0.0;
  };
  for (std::size_t t = 0; t < kSteps; ++t) {
    std::vector<double> in(3 * kUnits);
    for (std::size_t j = 0; j < in.size(); ++j) {
      in[j] = static_cast<double>(bias[j]);
      for (std::size_t p = 0; p < kWidth; ++p) {
        in[j] += static_cast<double>(x[t * kWidth + p]) *
                 static_cast<double>(kernel[p * 3 * kUnits + j]);
      }
    }
    std::vector<double> z(kUnits);
    std::vector<double> r(kUnits);
    std::vector<double> reset(kUnits);
    for (std::size_t u = 0; u < kUnits; ++u) {
      z[u] = Sigmoid(in[u] + column(h, u) + recurrent_bias(u));
      r[u] = Sigmoid(in[kUnits + u] + column(h, kUnits + u) + recurrent_bias(kUnits + u));
      reset[u] = r[u] * h[u];
    }
    std::vector<double> next(kUnits);
    for (std::size_t u = 0; u < kUnits; ++u) {
      const std::size_t j = 2 * kUnits + u;
      const double inner =
          resets_after ? r[u] * (column(h, j) + recurrent_bias(j)) : column(reset, j);
      next[u] = z[u] * h[u] + (1 - z[u]) * std::tanh(in[j] + inner);
    }
    h = next;
  }
  return {h.begin(), h.end()};
}

TEST_P(GruTest, ResetsAfterOrBeforeTheProduct) {
  for (const bool resets_after : {true, false}) {
    const auto x = Noise(2 * kSteps * kWidth, 1);
    const auto kernel = Noise(kWidth * 3 * kUnits, 2);
    const auto recurrent = Noise(kUnits * 3 * kUnits, 3);
    const auto bias = Noise((resets_after ? 6 : 3) * kUnits, 4);
    std::vector<float> want;
    for (std::size_t n = 0; n < 2; ++n) {
      const auto from = x.begin() + static_cast<std::ptrdiff_t>(n * kSteps * kWidth);
      const auto h =
          Expected({from, from + kSteps * kWidth}, kernel, recurrent, bias, resets_after);
      want.insert(want.end(), h.begin(), h.end());
    }
    OperatorRun run(MakeGru());
    run.Input(Floats({2, kSteps, kWidth}, x))
        .Constant(FloatConstant({kWidth, 3 * kUnits}, kernel))
        .Constant(FloatConstant({kUnits, 3 * kUnits}, recurrent))
        .Constant(resets_after ? FloatConstant({2, 3 * kUnits}, bias)
                               : FloatConstant({3 * kUnits}, bias))
        .With("reset_after", std::int64_t{resets_after ? 1 : 0})
        .Outputs(2);
    const auto outputs = run.Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ExpectNear(Elements<float>((*outputs)[0]), want, 2e-6F);
    ExpectNear(Elements<float>((*outputs)[1]), want, 2e-6F);
  }
}

// With kernels of 0 but for the inputs' parts of z and h: h = s(x) * 0 + (1 - s(x)) * a(x).
TEST_P(GruTest, AHardSigmoidMayHaveItsOwnSlopeAndOffset) {
  const auto make = [](bool is_recurrent) {
    OperatorRun run(MakeGru());
    run.Input(Floats({4, 1, 1}, {-3, -1, 0.5F, 3}))
        .Constant(FloatConstant({1, 3}, {1, 0, 1}))
        .Constant(FloatConstant({1, 3}, {0, 0, 0}));
    const std::string key = is_recurrent ? "recurrent_activation" : "activation";
    run.With(key, "hard_sigmoid").With(key + "_alpha", 0.2).With(key + "_beta", 0.5);
    run.With(is_recurrent ? "activation" : "recurrent_activation", "linear");
    return run;
  };
  // min(max(0.2 x + 0.5, 0), 1) is 0, 0.3, 0.6, 1.
  ExpectNear(make(true).First(Kernels()), {-3, -0.7F, 0.2F, 0}, 1e-6F);
  ExpectNear(make(false).First(Kernels()), {0, 0.6F, 0.3F, -2}, 1e-6F);
}

TEST(GruRuleTest, RefusesASlopeWithoutAnOffset) {
  OperatorRun run(MakeGru());
  run.Input(Floats({1, 1, 1}, {0}))
      .Constant(FloatConstant({1, 3}, {0, 0, 0}))
      .Constant(FloatConstant({1, 3}, {0, 0, 0}))
      .With("recurrent_activation", "hard_sigmoid")
      .With("recurrent_activation_alpha", 0.2);
  EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GruRuleTest, RefusesABiasThatDoesNotFit) {
  OperatorRun run(MakeGru());
  run.Input(Floats({1, 1, 1}, {0}))
      .Constant(FloatConstant({1, 3}, {0, 0, 0}))
      .Constant(FloatConstant({1, 3}, {0, 0, 0}))
      .Constant(FloatConstant({2, 3}, {0, 0, 0, 0, 0, 0}))
      .With("reset_after", std::int64_t{0});
  EXPECT_EQ(run.InferStatus().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
