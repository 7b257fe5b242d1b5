// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/min_max.h"

#include <gtest/gtest.h>
#include <vector>

namespace octet {
namespace {

TEST(MinMaxTest, KeepsEveryValueOfEveryBatch) {
  const auto calibrator = MakeMinMaxCalibrator();
  ASSERT_TRUE(calibrator->Observe(std::vector<float>{1.0F, -2.0F}).ok());
  ASSERT_TRUE(calibrator->Observe(std::vector<float>{5.0F}).ok());
  EXPECT_EQ(calibrator->ComputeRange().value(), (Range{-2.0F, 5.0F}));
}

}  // namespace
}  // namespace octet
