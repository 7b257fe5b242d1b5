// SPDX-License-Identifier: Apache-2.0
#include "models/quality/agreement.h"

#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace octet {
namespace {

TEST(AgreementTest, TheTopClassIsTheFirstLargest) {
  EXPECT_EQ(TopClass(std::vector<float>{1, 3, 3}), 1U);
  EXPECT_EQ(TopClass(std::vector<float>{}), 0U);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(TopClass(std::vector<float>{kNan, -1, kNan}), 1U);
}

TEST(AgreementTest, AccuracyIsTheShareOfRightRows) {
  const std::vector<float> scores = {0, 1, 1, 0, 0, 1};
  EXPECT_DOUBLE_EQ(Top1Accuracy(scores, std::vector<std::int64_t>{1, 0, 0}), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(Top1Accuracy({}, {}), 0.0);
}

TEST(AgreementTest, AgreementIsTheShareOfRowsWithOneTopClass) {
  const std::vector<float> a = {0, 1, 1, 0};
  const std::vector<float> b = {5, 6, 1, 2};
  EXPECT_DOUBLE_EQ(Top1Agreement(a, b, 2), 0.5);
  EXPECT_DOUBLE_EQ(Top1Agreement({}, {}, 2), 1.0);
}

}  // namespace
}  // namespace octet
