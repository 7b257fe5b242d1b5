// SPDX-License-Identifier: Apache-2.0
#include "client/cli/layer_comparison.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

ObservedValue Value(const std::string& name, const std::string& node,
                    const std::vector<float>& elements) {
  return {.name = name,
          .node = node,
          .op = "Op",
          .dims = {1, static_cast<std::int64_t>(elements.size())},
          .elements = elements};
}

std::vector<std::string> Layers(const std::vector<LayerComparison>& rows) {
  std::vector<std::string> layers;
  for (const LayerComparison& row : rows) layers.push_back(row.layer + ":" + row.value);
  return layers;
}

TEST(LayerComparisonTest, MeasuresHowFarValuesAreApart) {
  const Difference difference = Compare({3, 4, 0, 1}, {3, 4, 0, 2}, 2);
  EXPECT_NEAR(difference.sqnr_db, 10 * std::log10(26.0), 1e-9);
  EXPECT_NEAR(difference.cosine, 1.0, 1e-9);
  EXPECT_EQ(difference.max_abs_difference, 1);
}

TEST(LayerComparisonTest, EqualValuesHaveNoNoise) {
  const Difference difference = Compare({3, 4}, {3, 4}, 1);
  EXPECT_TRUE(std::isinf(difference.sqnr_db));
  EXPECT_EQ(difference.cosine, 1);
  EXPECT_EQ(difference.max_abs_difference, 0);
}

TEST(LayerComparisonTest, ValuesWithoutElementsAreEqual) {
  EXPECT_EQ(Compare({}, {}, 2).cosine, 1);
}

TEST(LayerComparisonTest, ValuesAreMatchedByNameWhateverNodeComputesThem) {
  const auto rows = CompareLayers({Value("relu", "conv", {1, 2}), Value("y", "dense", {3})},
                                  {{"conv", "Op", 10}, {"dense", "Op", 5}},
                                  {Value("relu", "relu", {1, 3}), Value("y", "dense", {3})},
                                  {{"relu", "Op", 7}, {"dense", "Op", 2}});
  ASSERT_THAT(Layers(rows), ElementsAre("conv:relu", "dense:y"));
  ASSERT_TRUE(rows[0].difference.has_value());
  EXPECT_EQ(rows[0].difference->max_abs_difference, 1);
  EXPECT_THAT(rows[0].first_us, Optional(10));
  EXPECT_THAT(rows[0].us, Optional(7));
  EXPECT_EQ(rows[1].difference->max_abs_difference, 0);
}

TEST(LayerComparisonTest, WhatOnlyOneHasStandsWithoutDifference) {
  const auto rows = CompareLayers({Value("a", "a", {1}), Value("b", "b", {1, 2})},
                                  {{"a", "Op", 1}, {"b", "Op", 2}},
                                  {Value("b", "b", {1, 2, 3}), Value("c", "c", {1})},
                                  {{"q", "Quantize", 3}, {"b", "Op", 4}, {"c", "Op", 5}});
  // b has another shape in the two.
  ASSERT_THAT(Layers(rows), ElementsAre("a:a", "b:b", "b:b", "c:c", "q:"));
  for (const LayerComparison& row : rows) EXPECT_FALSE(row.difference.has_value());
  EXPECT_THAT(rows[1].first_us, Optional(2));
  EXPECT_FALSE(rows[1].us.has_value());
  EXPECT_FALSE(rows[2].first_us.has_value());
  EXPECT_THAT(rows[2].us, Optional(4));
  EXPECT_EQ(rows[4].op, "Quantize");
  EXPECT_FALSE(rows[4].first_us.has_value());
  EXPECT_THAT(rows[4].us, Optional(3));
}

TEST(LayerComparisonTest, AStepWithTwoValuesHasItsTimeOnce) {
  const std::vector<ObservedValue> values = {Value("y", "lstm", {1}), Value("state", "lstm", {2})};
  const std::vector<StepTime> steps = {{"lstm", "Lstm", 8}};
  const auto rows = CompareLayers(values, steps, values, steps);
  ASSERT_THAT(Layers(rows), ElementsAre("lstm:y", "lstm:state"));
  EXPECT_THAT(rows[0].us, Optional(8));
  EXPECT_FALSE(rows[1].us.has_value());
  EXPECT_FALSE(rows[1].first_us.has_value());
}

TEST(LayerComparisonTest, StepsWithoutObservedValuesAreListedWithBothTimes) {
  const auto rows = CompareLayers({}, {{"gather", "Gather", 1}}, {}, {{"gather", "Gather", 2}});
  ASSERT_THAT(Layers(rows), ElementsAre("gather:"));
  EXPECT_THAT(rows[0].first_us, Optional(1));
  EXPECT_THAT(rows[0].us, Optional(2));
}

}  // namespace
}  // namespace octet::cli
