// SPDX-License-Identifier: Apache-2.0
#include "kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {
namespace {

constexpr auto kLastKind = static_cast<int>(ActivationKind::kLog);

// The exact value in double, with Keras's default parameters.
double Exact(ActivationKind kind, double x) {
  const auto softplus = [](double v) {
    return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
  };
  switch (kind) {
    case ActivationKind::kLinear:
      return x;
    case ActivationKind::kRelu:
      return std::max(x, 0.0);
    case ActivationKind::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case ActivationKind::kLeakyRelu:
      return x >= 0 ? x : double{0.2F} * x;
    case ActivationKind::kElu:
    case ActivationKind::kCelu:
      return x > 0 ? x : std::expm1(x);
    case ActivationKind::kSelu:
      return 1.05070098735548049342 * (x > 0 ? x : 1.67326324235437728481 * std::expm1(x));
    case ActivationKind::kGelu:
      return 0.5 * x * std::erfc(-x * M_SQRT1_2);
    case ActivationKind::kGeluTanh:
      return x / (1 + std::exp(-2 * std::sqrt(M_2_PI) * (x + 0.044715 * x * x * x)));
    case ActivationKind::kSilu:
      return x / (1 + std::exp(-x));
    case ActivationKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::kHardSigmoid:
      return std::clamp(x + 3, 0.0, 6.0) / 6;
    case ActivationKind::kHardSilu:
      return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSoftplus:
      return softplus(x);
    case ActivationKind::kSoftsign:
      return x / (1 + std::abs(x));
    case ActivationKind::kExponential:
      return std::exp(x);
    case ActivationKind::kMish:
      return x * std::tanh(softplus(x));
    case ActivationKind::kHardTanh:
      return std::clamp(x, -1.0, 1.0);
    case ActivationKind::kTanhShrink:
      return x - std::tanh(x);
    case ActivationKind::kSoftShrink:
      return x > 0.5 ? x - 0.5 : x < -0.5 ? x + 0.5 : 0;
    case ActivationKind::kHardShrink:
      return std::abs(x) > 0.5 ? x : 0;
    case ActivationKind::kSquareplus:
      return (x + std::sqrt(x * x + 4)) / 2;
    case ActivationKind::kLogSigmoid:
      return -softplus(-x);
    case ActivationKind::kSparsePlus:
      return x <= -1 ? 0 : x >= 1 ? x : (x + 1) * (x + 1) / 4;
    case ActivationKind::kSquare:
      return x * x;
    case ActivationKind::kAbs:
      return std::abs(x);
    case ActivationKind::kSqrt:
      return std::sqrt(x);
    case ActivationKind::kRsqrt:
      return 1 / std::sqrt(x);
    case ActivationKind::kNegative:
      return -x;
    case ActivationKind::kLog:
      return std::log(x);
  }
  return 0;
}

bool TakesOnlyPositive(ActivationKind kind) {
  return kind == ActivationKind::kSqrt || kind == ActivationKind::kRsqrt ||
         kind == ActivationKind::kLog;
}

class ActivationTest : public KernelSetTest {};

TEST_P(ActivationTest, IsWithinItsToleranceOfTheExactValue) {
  for (int i = 0; i <= kLastKind; ++i) {
    const auto kind = static_cast<ActivationKind>(i);
    auto in = Floats(20000, TakesOnlyPositive(kind) ? 0.01F : -10.0F, 10.0F);
    const auto small = Floats(5000, TakesOnlyPositive(kind) ? 1e-6F : -0.01F, 0.01F);
    in.insert(in.end(), small.begin(), small.end());
    std::vector<float> out(in.size());
    set().activation_f32(DefaultActivation(kind), in, out);
    for (std::size_t j = 0; j < in.size(); ++j) {
      const double exact = Exact(kind, in[j]);
      ASSERT_NEAR(out[j], exact, std::max(1e-6 * std::abs(exact), 1.5e-7))
          << ActivationKindName(kind) << "(" << in[j] << ")";
    }
  }
}

TEST_P(ActivationTest, IsEqualToTheBitOnAllSets) {
  for (int i = 0; i <= kLastKind; ++i) {
    const auto kind = static_cast<ActivationKind>(i);
    for (const std::size_t size : {1UL, 5UL, 16UL, 37UL, 1000UL}) {
      auto in = Floats(size, -100.0F, 100.0F);
      if (size > 16) {
        in[0] = 0.0F;
        in[1] = -0.0F;
        in[2] = std::numeric_limits<float>::infinity();
        in[3] = -std::numeric_limits<float>::infinity();
        in[4] = std::numeric_limits<float>::quiet_NaN();
        in[5] = 1e-42F;
        in[6] = std::numeric_limits<float>::max();
      }
      std::vector<float> got(size);
      std::vector<float> wanted(size);
      set().activation_f32(DefaultActivation(kind), in, got);
      Reference().activation_f32(DefaultActivation(kind), in, wanted);
      ASSERT_TRUE(SameBits(got, wanted)) << ActivationKindName(kind);
      set().activation_f32(DefaultActivation(kind), in, in);
      ASSERT_TRUE(SameBits(in, wanted)) << ActivationKindName(kind) << " in place";
    }
  }
}

TEST_P(ActivationTest, ReluTakesSlopeMaximumAndThreshold) {
  const std::vector<float> in = {-2.0F, 0.5F, 1.0F, 3.0F, 9.0F};
  std::vector<float> out(in.size());
  set().activation_f32(
      {.kind = ActivationKind::kRelu, .alpha = 0.5F, .beta = 4.0F, .threshold = 1.0F}, in, out);
  EXPECT_EQ(out, (std::vector<float>{-1.5F, -0.25F, 0.0F, 3.0F, 4.0F}));
}

TEST_P(ActivationTest, LookupReadsTheTable) {
  std::vector<std::int8_t> table = Bytes(256);
  const std::vector<std::int8_t> in = Bytes(301);
  std::vector<std::int8_t> out(in.size());
  set().lookup_s8(std::span<const std::int8_t, 256>(table), in, out);
  for (std::size_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(out[i], table[static_cast<std::size_t>(in[i] + 128)]);
  }
}

TEST(ActivationKindTest, NamesAndKindsGoBothWays) {
  for (int i = 0; i <= kLastKind; ++i) {
    const auto kind = static_cast<ActivationKind>(i);
    EXPECT_EQ(ActivationKindFromName(ActivationKindName(kind)), kind);
  }
  EXPECT_EQ(ActivationKindFromName("softmax"), std::nullopt);
  EXPECT_EQ(ActivationKindFromName(""), std::nullopt);
}

OCTET_FOR_ALL_KERNEL_SETS(ActivationTest);

}  // namespace
}  // namespace octet::kernels
