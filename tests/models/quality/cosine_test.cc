// SPDX-License-Identifier: Apache-2.0
#include "models/quality/cosine.h"

#include <gtest/gtest.h>
#include <vector>

namespace octet {
namespace {

TEST(CosineTest, IsOneForOneDirectionAndMinusOneForItsOpposite) {
  const std::vector<float> a = {1, 2, -3};
  EXPECT_NEAR(CosineSimilarity(a, std::vector<float>{2, 4, -6}), 1.0, 1e-12);
  EXPECT_NEAR(CosineSimilarity(a, std::vector<float>{-1, -2, 3}), -1.0, 1e-12);
  EXPECT_NEAR(CosineSimilarity(std::vector<float>{1, 0}, std::vector<float>{0, 1}), 0.0, 1e-12);
}

TEST(CosineTest, ZerosHaveNoDirectionButAreAlike) {
  const std::vector<float> zero = {0, 0};
  EXPECT_EQ(CosineSimilarity(zero, zero), 1.0);
  EXPECT_EQ(CosineSimilarity(zero, std::vector<float>{1, 0}), 0.0);
}

TEST(CosineTest, TheMeanIsOverRows) {
  const std::vector<float> a = {1, 0, 1, 0};
  const std::vector<float> b = {1, 0, 0, 1};
  EXPECT_NEAR(MeanCosineSimilarity(a, b, 2), 0.5, 1e-12);
}

}  // namespace
}  // namespace octet
