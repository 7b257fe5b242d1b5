// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/weight_grid.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace octet::onnx {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kEnough = 1 << 20;

std::optional<WeightGrid> Grid(const Dims& dims, const std::vector<float>& values, std::size_t axis,
                               std::int64_t budget = kEnough) {
  return GridOf(ConstantTensor::Copy(DataType::kFloat32, dims, values), axis, budget);
}

TEST(WeightGridTest, AScaleForEachIndexOfTheAxis) {
  const float a = 0.0123F;
  const float b = 7.5e-4F;
  const auto rows = Grid({2, 3}, {a * 3, a * -128, a * 0, b * 127, b * 1, b * -64}, 0);
  ASSERT_TRUE(rows.has_value());
  EXPECT_THAT(rows->integers, ElementsAre(3, -128, 0, 127, 1, -64));
  EXPECT_THAT(rows->scale, ElementsAre(a, b));
  const auto columns = Grid({3, 2}, {a * 3, b * 127, a * -128, b, a * 0, b * -64}, 1);
  ASSERT_TRUE(columns.has_value());
  EXPECT_THAT(columns->integers, ElementsAre(3, 127, -128, 1, 0, -64));
  EXPECT_THAT(columns->scale, ElementsAre(a, b));
}

TEST(WeightGridTest, TheProductsAreTheWeightsToTheBit) {
  std::vector<float> values;
  const float scale = 0.003921569F;
  for (int q = -127; q <= 127; ++q) values.push_back(static_cast<float>(q) * scale);
  const auto grid = Grid({1, 255}, values, 0);
  ASSERT_TRUE(grid.has_value());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(static_cast<float>(grid->integers[i]) * grid->scale[0], values[i]);
  }
  values[7] = std::nextafter(values[7], 0.0F);
  EXPECT_FALSE(Grid({1, 255}, values, 0).has_value());
}

TEST(WeightGridTest, WhatIsOnNone) {
  EXPECT_FALSE(Grid({1, 3}, {0.1F, 0.2345F, 0.777F}, 0).has_value());
  EXPECT_FALSE(Grid({1, 2}, {NAN, 1.0F}, 0).has_value());
  EXPECT_FALSE(Grid({1, 2}, {INFINITY, 1.0F}, 0).has_value());
  EXPECT_FALSE(Grid({1, 0}, {}, 0).has_value());
  const auto zeros = Grid({1, 2}, {0.0F, 0.0F}, 0);
  ASSERT_TRUE(zeros.has_value());
  EXPECT_THAT(zeros->integers, ElementsAre(0, 0));
}

TEST(WeightGridTest, TheBudgetEnds) {
  EXPECT_FALSE(Grid({1, 4}, {0.1F, 0.2F, 0.3F, 0.4F}, 0, 3).has_value());
  std::int64_t budget = 100;
  const auto weights =
      ConstantTensor::Copy(DataType::kFloat32, {1, 3}, std::vector<float>{0.1F, 0.2345F, 0.777F});
  EXPECT_FALSE(GridOf(weights, 0, budget).has_value());
  EXPECT_LT(budget, 100);
}

}  // namespace
}  // namespace octet::onnx
