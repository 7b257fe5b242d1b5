// SPDX-License-Identifier: Apache-2.0
#include "models/quality/difference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace octet {
namespace {

TEST(DifferenceTest, TakesTheLargestAndTheMean) {
  const std::vector<float> a = {1, 2, 3, 4};
  const std::vector<float> b = {1, 0, 3, 5};
  EXPECT_DOUBLE_EQ(MaxAbsDifference(a, b), 2.0);
  EXPECT_DOUBLE_EQ(MeanAbsDifference(a, b), 0.75);
  EXPECT_EQ(MaxAbsDifference({}, {}), 0.0);
  const std::vector<float> nan = {std::numeric_limits<float>::quiet_NaN(), 9, 9, 9};
  EXPECT_TRUE(std::isnan(MaxAbsDifference(a, nan)));
}

TEST(DifferenceTest, ATenthOfNoiseIsTwentyDecibels) {
  const std::vector<float> a = {1, -1, 1, -1};
  const std::vector<float> b = {1.1F, -1.1F, 0.9F, -0.9F};
  EXPECT_NEAR(SqnrDecibels(a, b), 20.0, 1e-5);
  EXPECT_TRUE(std::isinf(SqnrDecibels(a, a)));
}

}  // namespace
}  // namespace octet
