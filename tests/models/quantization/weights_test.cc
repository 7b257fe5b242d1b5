// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/weights.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace octet {
namespace {

using ::testing::ElementsAre;

// What Keras's abs_max_quantize gives for this weight along axis 0.
const std::vector<float> kWeight = {1, -2, .03F, .5F, 4, -.01F, -.25F, 3.5F, .02F};

TEST(WeightsTest, Int8ByColumnIsKerass) {
  const ChannelWeights weights = QuantizeByColumn(kWeight, 3, 127, WeightConvention::kReciprocal);
  EXPECT_THAT(weights.values, ElementsAre(127, -64, 127, 63, 127, -42, -32, 111, 85));
  EXPECT_FLOAT_EQ(weights.scale[0], 126.99998474F);
  EXPECT_FLOAT_EQ(weights.scale[1], 31.75F);
  EXPECT_FLOAT_EQ(weights.scale[2], 4233.31933594F);
}

TEST(WeightsTest, Int4ByColumnIsKerass) {
  const ChannelWeights weights = QuantizeByColumn(kWeight, 3, 7, WeightConvention::kReciprocal);
  EXPECT_THAT(weights.values, ElementsAre(7, -4, 7, 3, 7, -2, -2, 6, 5));
  EXPECT_FLOAT_EQ(weights.scale[0], 6.99999905F);
  EXPECT_FLOAT_EQ(weights.scale[1], 1.75F);
  EXPECT_FLOAT_EQ(weights.scale[2], 233.33255005F);
}

TEST(WeightsTest, ByRowIsByColumnOfTheTransposed) {
  const std::vector<float> transposed = {1, .5F, -.25F, -2, 4, 3.5F, .03F, -.01F, .02F};
  const ChannelWeights rows = QuantizeByRow(transposed, 3, 127);
  const ChannelWeights columns = QuantizeByColumn(kWeight, 3, 127, WeightConvention::kReciprocal);
  EXPECT_EQ(rows.scale, columns.scale);
  EXPECT_THAT(rows.values, ElementsAre(127, 63, -32, -64, 127, 111, 127, -42, 85));
}

TEST(WeightsTest, MultiplyingScalesAreOverTheLimit) {
  const ChannelWeights weights =
      QuantizeByColumn(std::vector<float>{127, 0, -63.5F, 0}, 2, 127, WeightConvention::kMultiply);
  EXPECT_FLOAT_EQ(weights.scale[0], 1.0F);
  EXPECT_GT(weights.scale[1], 0.0F);
  EXPECT_THAT(weights.values, ElementsAre(127, 0, -64, 0));
  const ChannelWeights wider =
      QuantizeByColumn(std::vector<float>{127, -63.5F}, 1, 127, WeightConvention::kMultiply,
                       std::vector<float>{2.0F});
  EXPECT_FLOAT_EQ(wider.scale[0], 2.0F);
  EXPECT_THAT(wider.values, ElementsAre(64, -32));
}

TEST(WeightsTest, GroupsKeepZeroAndOneSign) {
  // Keras loses the 1 here: its range does not hold 0.
  const GroupedWeights weights = QuantizeByGroup(std::vector<float>{1.0F, 0.5F}, 1, 2);
  const auto real = [&](std::size_t i) {
    return static_cast<float>(weights.values[i] - weights.zero_point[0]) * weights.scale[0];
  };
  EXPECT_FLOAT_EQ(real(0), 1.0F);
  EXPECT_NEAR(real(1), 0.5F, 1.0F / 15.0F);
}

TEST(WeightsTest, EveryGroupedWeightIsWithinAStep) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  constexpr std::size_t kRows = 300;
  constexpr std::size_t kColumns = 5;
  std::vector<float> weight(kRows * kColumns);
  for (float& value : weight) value = normal(random);
  const GroupedWeights weights = QuantizeByGroup(weight, kColumns, 128);
  ASSERT_EQ(weights.scale.size(), 3 * kColumns);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    const std::size_t group = i / kColumns / 128 * kColumns + i % kColumns;
    const float real =
        static_cast<float>(weights.values[i] - weights.zero_point[group]) * weights.scale[group];
    EXPECT_LE(std::abs(real - weight[i]), weights.scale[group] * 1.01F);
    EXPECT_GE(weights.values[i], -8);
    EXPECT_LE(weights.values[i], 7);
  }
}

TEST(WeightsTest, ZeroWeightsHaveUsableScales) {
  const std::vector<float> zeros(6, 0.0F);
  for (const WeightConvention convention :
       {WeightConvention::kReciprocal, WeightConvention::kMultiply}) {
    for (const float scale : QuantizeByColumn(zeros, 2, 127, convention).scale) {
      EXPECT_TRUE(std::isfinite(scale) && scale > 0.0F);
    }
  }
  for (const float scale : QuantizeByGroup(zeros, 2, 2).scale) EXPECT_EQ(scale, 1.0F);
}

// Keras's pack_int4 along the last axis.
TEST(WeightsTest, NibblesArePackedFirstLow) {
  EXPECT_THAT(PackNibbles(std::vector<std::int8_t>{7, -4, 7, 3, 7, -2, -2, 6, 5}, 3),
              ElementsAre(-57, 7, 115, 14, 110, 5));
  EXPECT_TRUE(PackNibbles({}, 0).empty());
}

}  // namespace
}  // namespace octet
