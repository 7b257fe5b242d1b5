// SPDX-License-Identifier: Apache-2.0
// Against gemmlowp's functions, of which TensorFlow Lite's are made.
#include "kernels/fixed_point_functions.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gemmlowp/fixedpoint/fixedpoint.h>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace octet::kernels {
namespace {

template <int kIntegerBits>
using Fixed = gemmlowp::FixedPoint<std::int32_t, kIntegerBits>;

// Numbers from `low` to `high`, their ends, and those around them.
std::vector<std::int32_t> Numbers(std::int64_t low, std::int64_t high) {
  std::vector<std::int32_t> numbers;
  for (std::int64_t step = 0; step < 4; ++step) {
    numbers.push_back(static_cast<std::int32_t>(low + step));
    numbers.push_back(static_cast<std::int32_t>(high - step));
  }
  std::mt19937 random(5);
  std::uniform_int_distribution<std::int64_t> any(low, high);
  for (int i = 0; i < 300000; ++i) numbers.push_back(static_cast<std::int32_t>(any(random)));
  return numbers;
}

template <int kIntegerBits>
void ExpectEqualExp() {
  for (const std::int32_t x : Numbers(-0x7FFFFFFFLL, 0)) {
    ASSERT_EQ(FixedPointExp(x, kIntegerBits),
              gemmlowp::exp_on_negative_values(Fixed<kIntegerBits>::FromRaw(x)).raw())
        << x << " in Q" << kIntegerBits;
  }
}

TEST(FixedPointFunctionsTest, ExpEqualsGemmlowp) {
  ExpectEqualExp<1>();
  ExpectEqualExp<4>();
  ExpectEqualExp<5>();
}

TEST(FixedPointFunctionsTest, SigmoidTanhAndReciprocalEqualGemmlowp) {
  for (const std::int32_t x : Numbers(-0x7FFFFFFFLL, 0x7FFFFFFFLL)) {
    ASSERT_EQ(FixedPointSigmoid(x), gemmlowp::logistic(Fixed<4>::FromRaw(x)).raw()) << x;
    ASSERT_EQ(FixedPointTanh(x), gemmlowp::tanh(Fixed<4>::FromRaw(x)).raw()) << x;
  }
  for (const std::int32_t x : Numbers(0, 0x7FFFFFFFLL)) {
    ASSERT_EQ(FixedPointReciprocalOfOnePlus(x),
              gemmlowp::one_over_one_plus_x_for_x_in_0_1(Fixed<0>::FromRaw(x)).raw())
        << x;
  }
}

TEST(FixedPointFunctionsTest, TablesAreWithinOneStepOfTheFunction) {
  for (const float scale : {1.0F, 0.05F, 0.004F, 1e-6F}) {
    for (const int zero_point : {-128, 3, 127}) {
      for (const FixedRounding rounding : {FixedRounding::kDouble, FixedRounding::kSingle}) {
        const Int8Table sigmoid =
            FixedPointSigmoidTable(Scale{scale}, ZeroPoint{zero_point}, rounding);
        const Int8Table tanh = FixedPointTanhTable(Scale{scale}, ZeroPoint{zero_point}, rounding);
        for (int value = -128; value < 128; ++value) {
          const double x = (value - zero_point) * static_cast<double>(scale);
          const auto i = static_cast<std::size_t>(value + 128);
          EXPECT_NEAR(sigmoid[i], std::min(256.0 / (1.0 + std::exp(-x)) - 128.0, 127.0), 1.0) << x;
          EXPECT_NEAR(tanh[i], std::min(128.0 * std::tanh(x), 127.0), 1.0) << x;
        }
      }
    }
  }
}

TEST(FixedPointFunctionsTest, SoftmaxIsWithinOneStepOfTheFunction) {
  std::mt19937 random(6);
  std::uniform_int_distribution<int> byte(-128, 127);
  for (const std::size_t size : {1UL, 2UL, 10UL, 1001UL}) {
    for (const float scale : {0.5F, 0.05F, 0.004F, 40.0F, 1e-5F}) {
      for (const FixedRounding rounding : {FixedRounding::kDouble, FixedRounding::kSingle}) {
        std::vector<std::int8_t> row(size);
        for (std::int8_t& x : row) x = static_cast<std::int8_t>(byte(random));
        std::vector<std::int8_t> got(size);
        FixedPointSoftmax(Scale{scale}, 0.7F, rounding).Run(row, got);
        const int largest = *std::max_element(row.begin(), row.end());
        const auto exp = [&](int x) {
          return std::exp(0.7 * static_cast<double>(scale) * (x - largest));
        };
        double sum = 0;
        for (const std::int8_t x : row) sum += exp(x);
        for (std::size_t i = 0; i < size; ++i) {
          EXPECT_NEAR(got[i], std::min(256.0 * exp(row[i]) / sum - 128.0, 127.0), 1.0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace octet::kernels
