// SPDX-License-Identifier: Apache-2.0
// What Keras 3.11 to 3.15 do: Function._nodes_by_depth of models with these calls.

#include "models/importers/keras/call_order.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::keras {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

TEST(CallOrderTest, ParentsComeFirst) {
  const std::vector<CallNode> nodes = {{0, {1}}, {1, {2}}, {2, {}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{0}), Optional(ElementsAre(2, 1, 0)));
}

TEST(CallOrderTest, WhatIsFarFromTheOutputsComesFirst) {
  // 3 takes 0 and 2, which takes 1: 0 could run before 1, but is nearer to the output.
  const std::vector<CallNode> nodes = {{0, {}}, {1, {}}, {2, {1}}, {3, {0, 2}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{3}), Optional(ElementsAre(1, 0, 2, 3)));
}

TEST(CallOrderTest, AtOneDistanceTheParentsRunAsTheyAreGiven) {
  const std::vector<CallNode> nodes = {{0, {}}, {1, {0}}, {2, {0}}, {3, {0}}, {4, {2, 1, 3}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{4}), Optional(ElementsAre(0, 2, 1, 3, 4)));
}

TEST(CallOrderTest, ASharedLayerRunsAtItsGreatestDistance) {
  // Layer 7 is called on 0 (near the output) and on 1 (far from it).
  const std::vector<CallNode> nodes = {{0, {}},  {7, {0}}, {2, {1}},
                                       {3, {2}}, {7, {0}}, {5, {4, 3}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{5}),
              Optional(ElementsAre(0, 4, 1, 2, 3, 5)));
}

TEST(CallOrderTest, OfSeveralOutputsTheLastRunsFirst) {
  const std::vector<CallNode> nodes = {{0, {}}, {1, {0}}, {2, {0}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{1, 2}), Optional(ElementsAre(0, 2, 1)));
}

TEST(CallOrderTest, WhatNoOutputNeedsDoesNotRun) {
  const std::vector<CallNode> nodes = {{0, {}}, {1, {0}}, {2, {0}}};
  EXPECT_THAT(CallOrder(nodes, std::vector<std::size_t>{2}), Optional(ElementsAre(0, 2)));
}

TEST(CallOrderTest, ACycleHasNoOrder) {
  const std::vector<CallNode> nodes = {{0, {1}}, {1, {0}}, {2, {2}}};
  EXPECT_EQ(CallOrder(nodes, std::vector<std::size_t>{0}), std::nullopt);
  EXPECT_EQ(CallOrder(nodes, std::vector<std::size_t>{2}), std::nullopt);
}

TEST(CallOrderTest, DepthIsNotBoundedByTheStack) {
  std::vector<CallNode> nodes(200'000);
  for (std::size_t i = 1; i < nodes.size(); ++i) nodes[i] = {i, {i - 1}};
  const auto order = CallOrder(nodes, std::vector<std::size_t>{nodes.size() - 1});
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->front(), 0U);
  EXPECT_EQ(order->size(), nodes.size());
}

}  // namespace
}  // namespace octet::keras
