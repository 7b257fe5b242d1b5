// SPDX-License-Identifier: Apache-2.0

#include "models/operators/lstm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class LstmTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(LstmTest);

constexpr std::size_t kRowCount = 2;
constexpr std::size_t kSteps = 37;  // more than one chunk of projected inputs
constexpr std::size_t kWidth = 3;
constexpr std::size_t kUnits = 4;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct Layer {
  std::vector<float> x = Noise(kRowCount * kSteps * kWidth, 1);
  std::vector<float> kernel = Noise(kWidth * 4 * kUnits, 2);
  std::vector<float> recurrent = Noise(kUnits * 4 * kUnits, 3);
  std::vector<float> bias = Noise(4 * kUnits, 4);
  std::vector<std::uint8_t> mask = std::vector<std::uint8_t>(kRowCount * kSteps, 1);
  bool goes_backwards = false;
  bool has_zero_output = false;

  struct Result {
    std::vector<float> sequence, h, c;
  };
  [[nodiscard]] Result Expected() const {
    Result result;
    for (std::size_t n = 0; n < kRowCount; ++n) {
      std::vector<double> h(kUnits, 0.0);
      std::vector<double> c(kUnits, 0.0);
      for (std::size_t step = 0; step < kSteps; ++step) {
        const std::size_t t = goes_backwards ? kSteps - 1 - step : step;
        std::vector<double> z(4 * kUnits);
        for (std::size_t j = 0; j < z.size(); ++j) {
          z[j] = static_cast<double>(bias[j]);
          for (std::size_t p = 0; p < kWidth; ++p) {
            z[j] += static_cast<double>(x[(n * kSteps + t) * kWidth + p]) *
                    static_cast<double>(kernel[p * 4 * kUnits + j]);
          }
          for (std::size_t p = 0; p < kUnits; ++p) {
            z[j] += h[p] * static_cast<double>(recurrent[p * 4 * kUnits + j]);
          }
        }
        const bool is_kept = mask[n * kSteps + t] != 0;
        for (std::size_t u = 0; is_kept && u < kUnits; ++u) {
          c[u] = Sigmoid(z[kUnits + u]) * c[u] + Sigmoid(z[u]) * std::tanh(z[2 * kUnits + u]);
          h[u] = Sigmoid(z[3 * kUnits + u]) * std::tanh(c[u]);
        }
        for (std::size_t u = 0; u < kUnits; ++u) {
          result.sequence.push_back(is_kept || !has_zero_output ? static_cast<float>(h[u]) : 0.0F);
        }
      }
      for (std::size_t u = 0; u < kUnits; ++u) {
        result.h.push_back(static_cast<float>(h[u]));
        result.c.push_back(static_cast<float>(c[u]));
      }
    }
    return result;
  }
  [[nodiscard]] OperatorRun Run(bool returns_sequences) const {
    OperatorRun run(MakeLstm());
    run.Input(Floats({kRowCount, kSteps, kWidth}, x))
        .Constant(FloatConstant({kWidth, 4 * kUnits}, kernel))
        .Constant(FloatConstant({kUnits, 4 * kUnits}, recurrent))
        .Constant(FloatConstant({4 * kUnits}, bias))
        .Input(Bools({kRowCount, kSteps}, mask))
        .With("return_sequences", std::int64_t{returns_sequences ? 1 : 0})
        .With("go_backwards", std::int64_t{goes_backwards ? 1 : 0})
        .With("zero_output_for_mask", std::int64_t{has_zero_output ? 1 : 0});
    return run;
  }
};

TEST_P(LstmTest, FollowsTheRecurrenceInBothDirections) {
  for (const bool goes_backwards : {false, true}) {
    Layer layer;
    layer.goes_backwards = goes_backwards;
    const auto want = layer.Expected();
    ExpectNear(layer.Run(true).First(Kernels()), want.sequence, 2e-6F);
    ExpectNear(layer.Run(false).First(Kernels()), want.h, 2e-6F);
    const auto outputs = layer.Run(false).Outputs(3).Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ExpectNear(Elements<float>((*outputs)[1]), want.h, 2e-6F);
    ExpectNear(Elements<float>((*outputs)[2]), want.c, 2e-6F);
  }
}

TEST_P(LstmTest, AMaskedStepCarriesTheStateAndRepeatsTheOutputOrGivesZeros) {
  for (const bool has_zero_output : {false, true}) {
    Layer layer;
    layer.has_zero_output = has_zero_output;
    for (std::size_t t = 30; t < kSteps; ++t) layer.mask[t] = 0;
    layer.mask[kSteps] = layer.mask[kSteps + 5] = 0;
    const auto want = layer.Expected();
    ExpectNear(layer.Run(true).First(Kernels()), want.sequence, 2e-6F);
    auto last = want.h;
    if (has_zero_output) std::fill(last.begin(), last.begin() + kUnits, 0.0F);
    ExpectNear(layer.Run(false).First(Kernels()), last, 2e-6F);
  }
}

TEST_P(LstmTest, StartsFromTheGivenStates) {
  OperatorRun run(MakeLstm());
  const std::vector<float> zeros(4, 0.0F);
  run.Input(Floats({1, 1, 1}, {0}))
      .Constant(FloatConstant({1, 4}, zeros))
      .Constant(FloatConstant({1, 4}, zeros))
      .Absent()
      .Absent()
      .Input(Floats({1, 1}, {9}))
      .Input(Floats({1, 1}, {2}))
      .Outputs(3);
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  // Every gate is sigmoid(0) = 1/2.
  ExpectNear(Elements<float>((*outputs)[2]), {1.0F}, 1e-6F);
  ExpectNear(Elements<float>((*outputs)[1]), {0.5F * std::tanh(1.0F)}, 1e-6F);
}

// Without weights of the inputs c grows by 1/2 a step: i and f are 1 / 2 and 1, z_c and o large.
TEST_P(LstmTest, TheCellStateIsClippedAfterEachStep) {
  for (const double clip : {0.0, 1.25}) {
    OperatorRun run(MakeLstm());
    run.Input(Floats({1, 4, 1}, {0, 0, 0, 0}))
        .Constant(FloatConstant({1, 4}, {0, 0, 0, 0}))
        .Constant(FloatConstant({1, 4}, {0, 0, 0, 0}))
        .Constant(FloatConstant({4}, {0, 50, 50, 50}))
        .With("return_sequences", std::int64_t{1})
        .With("activation", "hard_tanh")
        .With("cell_clip", clip)
        .Outputs(3);
    const auto outputs = run.Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_NEAR(Elements<float>((*outputs)[2])[0], clip > 0.0 ? 1.25F : 2.0F, 1e-5F);
  }
}

TEST(LstmRuleTest, RefusesWhatDoesNotFit) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(Layer().Run(false).Outputs(2).InferStatus().code(), kInvalid);
  OperatorRun run(MakeLstm());
  run.Input(Floats({1, 1, 2}, {0, 0}))
      .Constant(FloatConstant({2, 4}, std::vector<float>(8)))
      .Constant(FloatConstant({1, 3}, std::vector<float>(3)));
  EXPECT_EQ(run.InferStatus().code(), kInvalid);
}

}  // namespace
}  // namespace octet
