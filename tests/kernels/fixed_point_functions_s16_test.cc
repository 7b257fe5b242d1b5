// SPDX-License-Identifier: Apache-2.0
// That they are TensorFlow Lite's to the bit: tests/models/importers/tflite_micro_peer_test.py.
#include "kernels/fixed_point_functions_s16.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gemmlowp/fixedpoint/fixedpoint.h>
#include <gtest/gtest.h>
#include <numeric>
#include <random>
#include <vector>

namespace octet::kernels {
namespace {

constexpr double kOne = 32768.0;

// `scale` as the fixed-point functions take it, whose multiplier is cut to 15 bits.
void ExpectNear(const Int16Table& table, float scale, double (*function)(double), double steps) {
  ASSERT_EQ(table.size(), 65536U);
  for (int q = -32768; q < 32768; ++q) {
    const double wanted = std::min(function(q * static_cast<double>(scale)) * kOne, 32767.0);
    ASSERT_NEAR(table[static_cast<std::size_t>(q + 32768)], wanted, steps) << q << " * " << scale;
  }
}

TEST(FixedPointFunctionsS16Test, TablesAreNearTheFunction) {
  for (const float scale : {1.0F / 4096, 1.0F / 2048, 1.9e-4F, 1e-5F, 2e-3F}) {
    ExpectNear(
        FixedPointSigmoidTableS16({scale}), scale,
        [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, 3.0);
    ExpectNear(
        FixedPointTanhTableS16({scale}), scale, [](double x) { return std::tanh(x); }, 6.0);
  }
}

TEST(FixedPointFunctionsS16Test, TablesOfExtremeScalesAreDefined) {
  const Int16Table sigmoid = FixedPointSigmoidTableS16({1e30F});
  EXPECT_EQ(sigmoid.front(), 1);
  EXPECT_EQ(sigmoid[32768], 16384);
  EXPECT_EQ(sigmoid.back(), 32767);
  const Int16Table tanh = FixedPointTanhTableS16({1e-30F});
  EXPECT_EQ(tanh.front(), 0);
  EXPECT_EQ(tanh.back(), 0);
}

template <int kIntegerBits>
void ExpectGemmlowps() {
  using Fixed = gemmlowp::FixedPoint<std::int16_t, kIntegerBits>;
  const Int16Table sigmoid = GemmlowpSigmoidTableS16(kIntegerBits);
  const Int16Table tanh = GemmlowpTanhTableS16(kIntegerBits);
  for (int q = -32768; q < 32768; ++q) {
    const Fixed x = Fixed::FromRaw(static_cast<std::int16_t>(q));
    const auto at = static_cast<std::size_t>(q + 32768);
    ASSERT_EQ(sigmoid[at], gemmlowp::logistic(x).raw()) << q << " in Q" << kIntegerBits;
    ASSERT_EQ(tanh[at], gemmlowp::tanh(x).raw()) << q << " in Q" << kIntegerBits;
  }
}

TEST(FixedPointFunctionsS16Test, GemmlowpsTablesAreGemmlowps) {
  ExpectGemmlowps<0>();
  ExpectGemmlowps<1>();
  ExpectGemmlowps<2>();
  ExpectGemmlowps<3>();
  ExpectGemmlowps<4>();
  ExpectGemmlowps<5>();
  ExpectGemmlowps<6>();
}

TEST(FixedPointFunctionsS16Test, SoftmaxIsNearSoftmax) {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> any(-32768, 32767);
  for (const std::size_t size : {1U, 2U, 10U, 1000U}) {
    for (const float scale : {1.9e-4F, 1e-5F, 2e-3F}) {
      const FixedPointSoftmaxS16 softmax({scale}, 0.5F, FixedRounding::kDouble);
      EXPECT_GT(softmax.ByteSize(), 65536U);
      std::vector<std::int16_t> row(size);
      for (std::int16_t& x : row) x = static_cast<std::int16_t>(any(random));
      std::vector<double> wanted;
      const double largest = *std::max_element(row.begin(), row.end());
      for (const std::int16_t x : row) {
        wanted.push_back(std::exp(0.5 * static_cast<double>(scale) * (x - largest)));
      }
      const double sum = std::accumulate(wanted.begin(), wanted.end(), 0.0);
      std::vector<std::int16_t> got(size);
      softmax.Run(row, got);
      for (std::size_t i = 0; i < size; ++i) {
        EXPECT_NEAR(got[i], std::min(wanted[i] / sum * kOne, 32767.0), 24.0);
      }
    }
  }
}

TEST(FixedPointFunctionsS16Test, SoftmaxOfTheLongestRowAndOfTheLargestScale) {
  const FixedPointSoftmaxS16 softmax({1e-4F}, 1.0F, FixedRounding::kDouble);
  const std::vector<std::int16_t> equal(FixedPointSoftmaxS16::kLargestRow, 7);
  std::vector<std::int16_t> got(equal.size());
  softmax.Run(equal, got);
  EXPECT_EQ(*std::max_element(got.begin(), got.end()), *std::min_element(got.begin(), got.end()));
  EXPECT_LE(got[0], 1);
  const FixedPointSoftmaxS16 steep({1e20F}, 1e10F, FixedRounding::kSingle);
  const std::vector<std::int16_t> row = {-32768, 5, 32767};
  got.resize(3);
  steep.Run(row, got);
  EXPECT_LE(got[0], 2);
  EXPECT_LE(got[1], 2);
  EXPECT_GE(got[2], 32760);
  softmax.Run({}, {});
}

}  // namespace
}  // namespace octet::kernels
