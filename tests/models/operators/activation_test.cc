// SPDX-License-Identifier: Apache-2.0

#include "models/operators/activation.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ActivationTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ActivationTest);

OperatorRun Activation(const std::string& name) {
  OperatorRun run(MakeActivation());
  run.With("activation", name);
  return run;
}

TEST_P(ActivationTest, EveryNameComputesItsFormula) {
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  struct Case {
    std::string name;
    std::function<double(double)> formula;
  };
  const std::vector<Case> cases = {
      {"linear", [](double x) { return x; }},
      {"relu", [](double x) { return std::max(x, 0.0); }},
      {"relu6", [](double x) { return std::min(std::max(x, 0.0), 6.0); }},
      {"leaky_relu", [](double x) { return x >= 0 ? x : 0.2 * x; }},
      {"elu", [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"selu",
       [](double x) {
         return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
       }},
      {"celu", [](double x) { return std::max(x, 0.0) + std::min(std::expm1(x), 0.0); }},
      {"gelu", [](double x) { return x * (1 + std::erf(x / std::sqrt(2.0))) / 2; }},
      {"gelu_tanh",
       [](double x) {
         return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
       }},
      {"silu", [&](double x) { return x * sigmoid(x); }},
      {"sigmoid", [&](double x) { return sigmoid(x); }},
      {"hard_sigmoid", [](double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; }},
      {"hard_silu", [](double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"softplus", [&](double x) { return softplus(x); }},
      {"softsign", [](double x) { return x / (1 + std::abs(x)); }},
      {"exponential", [](double x) { return std::exp(x); }},
      {"mish", [&](double x) { return x * std::tanh(softplus(x)); }},
      {"hard_tanh", [](double x) { return std::min(std::max(x, -1.0), 1.0); }},
      {"tanh_shrink", [](double x) { return x - std::tanh(x); }},
      {"soft_shrink", [](double x) { return x > 0.5    ? x - 0.5
                                            : x < -0.5 ? x + 0.5
                                                       : 0.0; }},
      {"hard_shrink", [](double x) { return std::abs(x) > 0.5 ? x : 0.0; }},
      {"squareplus", [](double x) { return (x + std::sqrt(x * x + 4)) / 2; }},
      {"log_sigmoid", [&](double x) { return -softplus(-x); }},
      {"sparse_plus", [](double x) { return x <= -1  ? 0
                                            : x >= 1 ? x
                                                     : (x + 1) * (x + 1) / 4; }},
      {"square", [](double x) { return x * x; }},
      {"abs", [](double x) { return std::abs(x); }},
      {"negative", [](double x) { return -x; }},
  };
  std::vector<float> x;
  for (int i = -32; i <= 32; ++i) x.push_back(static_cast<float>(i) * 0.21F);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<float> want;
    for (const float value : x) {
      want.push_back(static_cast<float>(c.formula(static_cast<double>(value))));
    }
    ExpectNear(Activation(c.name).Input(Floats({5, 13}, x)).First(Kernels()), want, 2e-6F);
  }
  for (float& value : x) value = std::abs(value) + 0.1F;
  const std::vector<Case> positive = {
      {"sqrt", [](double v) { return std::sqrt(v); }},
      {"rsqrt", [](double v) { return 1 / std::sqrt(v); }},
      {"log", [](double v) { return std::log(v); }},
  };
  for (const Case& c : positive) {
    SCOPED_TRACE(c.name);
    std::vector<float> want;
    for (const float value : x) {
      want.push_back(static_cast<float>(c.formula(static_cast<double>(value))));
    }
    ExpectNear(Activation(c.name).Input(Floats({5, 13}, x)).First(Kernels()), want, 2e-6F);
  }
}

TEST_P(ActivationTest, ReluTakesSlopeMaximumAndThreshold) {
  const auto y = Activation("relu")
                     .Input(Floats({1, 4}, {-2, 0.5F, 2, 9}))
                     .With("activation_alpha", 0.1)
                     .With("activation_beta", 5.0)
                     .With("activation_threshold", 1.0)
                     .First(Kernels());
  ExpectNear(y, {-0.3F, -0.05F, 2, 5}, 1e-6F);
}

TEST_P(ActivationTest, SoftmaxAndLogSoftmaxAreOverTheLastAxis) {
  const std::vector<float> x = {0, std::log(3.0F), 1, 1};
  ExpectNear(Activation("softmax").Input(Floats({2, 2}, x)).First(Kernels()),
             {0.25F, 0.75F, 0.5F, 0.5F}, 1e-6F);
  ExpectNear(Activation("log_softmax").Input(Floats({2, 2}, x)).First(Kernels()),
             {std::log(0.25F), std::log(0.75F), std::log(0.5F), std::log(0.5F)}, 1e-6F);
}

TEST_P(ActivationTest, Int8IsATableComputedInFloat32) {
  std::vector<std::int8_t> x(256);
  for (int i = 0; i < 256; ++i) x[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(i - 128);
  const auto y = Activation("tanh")
                     .Input(Int8s({2, 128}, x), Quantization(0.05F, 3))
                     .With("output_scale", 1.0 / 128)
                     .With("output_zero_point", std::int64_t{0})
                     .First<std::int8_t>(Kernels());
  ASSERT_EQ(y.size(), 256U);
  for (std::size_t i = 0; i < 256; ++i) {
    const float real = static_cast<float>(x[i] - 3) * 0.05F;
    const float q = std::nearbyint(std::tanh(real) * 128.0F);
    EXPECT_NEAR(y[i], std::min(127.0F, q), 0.0F) << "entry " << i;
  }
}

TEST_P(ActivationTest, Int16IsATable) {
  const auto run = [](const std::string& name, float from, double to, const std::string& how) {
    return Activation(name)
        .Input(Int16s({1, 5}, {-32768, -5, 0, 7, 32767}), Quantization(from, 0))
        .With("output_scale", to)
        .With("requantization", how)
        .First<std::int16_t>(Kernels());
  };
  using Shorts = std::vector<std::int16_t>;
  EXPECT_EQ(run("relu", 0.5F, 0.25, "fixed"), (Shorts{0, 0, 0, 14, 32767}));
  EXPECT_EQ(run("relu6", 0.5F, 0.5, "fixed"), (Shorts{0, 0, 0, 7, 12}));
  EXPECT_EQ(run("relu6", 0.5F, 0.5, "float64"), (Shorts{0, 0, 0, 7, 12}));
  EXPECT_EQ(run("tanh", 0.5F, 1.0 / 32768, "fixed")[4], 32767);
  // Where there is no fixed point, in float32.
  EXPECT_EQ(run("square", 0.5F, 0.5, "fixed"), (Shorts{32767, 12, 0, 24, 32767}));
}

TEST(ActivationRuleTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Activation("relux").Input(Floats({1, 1}, {1})).InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Activation("tanh").Input(Int8s({1, 1}, {1})).InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Activation("tanh").Input(Int8s({1, 1}, {1}), Quantization(1, 0)).InferStatus().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Activation("celu")
                .Input(Floats({1, 1}, {1}))
                .With("activation_alpha", 0.0)
                .InferStatus()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
