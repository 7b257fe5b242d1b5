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

// Rows, and in each of them several sequences.
TEST_P(LstmTest, DimensionsBetweenTheRowsAndTheStepsAreSequences) {
  const Layer layer;
  const auto want = layer.Expected();
  for (const Dims& leading : {Dims{1, kRowCount}, Dims{kRowCount, 1}, Dims{1, 1, kRowCount}}) {
    const auto with = [&leading](std::vector<std::int64_t> rest) {
      Dims dims = leading;
      dims.insert(dims.end(), rest.begin(), rest.end());
      return dims;
    };
    OperatorRun run(MakeLstm());
    run.Input(Floats(with({kSteps, kWidth}), layer.x))
        .Constant(FloatConstant({kWidth, 4 * kUnits}, layer.kernel))
        .Constant(FloatConstant({kUnits, 4 * kUnits}, layer.recurrent))
        .Constant(FloatConstant({4 * kUnits}, layer.bias))
        .Input(Bools(with({kSteps}), layer.mask))
        .Input(Floats(with({kUnits}), std::vector<float>(kRowCount * kUnits)))
        .With("return_sequences", std::int64_t{1})
        .Outputs(3);
    const auto outputs = run.Run(Kernels());
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0].dims(), with({kSteps, kUnits}));
    EXPECT_EQ((*outputs)[2].dims(), with({kUnits}));
    ExpectNear(Elements<float>((*outputs)[0]), want.sequence, 2e-6F);
    ExpectNear(Elements<float>((*outputs)[1]), want.h, 2e-6F);
    ExpectNear(Elements<float>((*outputs)[2]), want.c, 2e-6F);
  }
}

// All gates see z = 0 but for peepholes p: i = s(p_i c), f = s(p_f c), c' = f c + i g, o = s(p_o
// c').
TEST_P(LstmTest, PeepholesSeeTheOldCellStateAndThatOfTheOutputGateTheNew) {
  OperatorRun run(MakeLstm());
  const std::vector<float> zeros(8, 0.0F);
  run.Input(Floats({1, 1, 1}, {0}))
      .Constant(FloatConstant({1, 8}, zeros))
      .Constant(FloatConstant({2, 8}, std::vector<float>(16, 0.0F)))
      .Constant(FloatConstant({8}, {0, 0, 0, 0, 0.5F, -1, 0, 0}))
      .Absent()
      .Absent()
      .Input(Floats({1, 2}, {2, -3}))
      .Constant(FloatConstant({6}, {0.25F, 0.5F, -1, 0.75F, 1.5F, -2}))
      .Outputs(3);
  const auto outputs = run.Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  std::vector<float> h;
  std::vector<float> c;
  const std::vector<double> old = {2, -3};
  const std::vector<double> peephole = {0.25, 0.5, -1, 0.75, 1.5, -2};
  const std::vector<double> candidate = {0.5, -1};
  for (std::size_t u = 0; u < 2; ++u) {
    const double next = Sigmoid(peephole[2 + u] * old[u]) * old[u] +
                        Sigmoid(peephole[u] * old[u]) * std::tanh(candidate[u]);
    c.push_back(static_cast<float>(next));
    h.push_back(static_cast<float>(Sigmoid(peephole[4 + u] * next) * std::tanh(next)));
  }
  ExpectNear(Elements<float>((*outputs)[2]), c, 1e-6F);
  ExpectNear(Elements<float>((*outputs)[1]), h, 1e-6F);
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

TEST(LstmRuleTest, RefusesPeepholesThatDoNotFit) {
  const auto with = [](bool is_constant, std::int64_t size) {
    OperatorRun run(MakeLstm());
    const std::vector<float> values(static_cast<std::size_t>(size));
    run.Input(Floats({1, 1, 1}, {0}))
        .Constant(FloatConstant({1, 4}, std::vector<float>(4)))
        .Constant(FloatConstant({1, 4}, std::vector<float>(4)))
        .Absent()
        .Absent()
        .Absent()
        .Absent();
    if (is_constant) {
      run.Constant(FloatConstant({size}, values));
    } else {
      run.Input(Floats({size}, values));
    }
    return run.InferStatus().code();
  };
  EXPECT_EQ(with(true, 3), absl::StatusCode::kOk);
  EXPECT_EQ(with(true, 4), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(with(false, 3), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
