// SPDX-License-Identifier: Apache-2.0
#include "models/calibration/calibrators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

namespace octet {
namespace {

class CalibratorTest : public ::testing::TestWithParam<CalibratorEntry> {};

TEST_P(CalibratorTest, TheRangeHoldsZero) {
  for (const float sign : {1.0F, -1.0F}) {
    const auto calibrator = GetParam().make();
    ASSERT_TRUE(calibrator->Observe(std::vector<float>{sign * 3.0F, sign * 4.0F}).ok());
    const Range range = calibrator->ComputeRange().value();
    EXPECT_LE(range.min, 0.0F);
    EXPECT_GE(range.max, 0.0F);
    EXPECT_LT(range.min, range.max);
  }
}

TEST_P(CalibratorTest, NothingObservedIsAnError) {
  const auto calibrator = GetParam().make();
  ASSERT_TRUE(calibrator->Observe({}).ok());
  EXPECT_EQ(calibrator->ComputeRange().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(CalibratorTest, WhatIsNotFiniteIsAnErrorAndForgotten) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto calibrator = GetParam().make();
    ASSERT_TRUE(calibrator->Observe(std::vector<float>{-1.0F, 1.0F}).ok());
    EXPECT_EQ(calibrator->Observe(std::vector<float>{9.0F, bad}).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_LE(calibrator->ComputeRange().value().max, 1.0F);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CalibratorTest,
                         ::testing::ValuesIn(BuiltInCalibrators().begin(),
                                             BuiltInCalibrators().end()),
                         [](const auto& test) {
                           std::string name(test.param.name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(CalibratorsTest, AnUnknownNameListsTheKnownOnes) {
  const absl::Status status = FindCalibrator("guess").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("min-max"));
  EXPECT_EQ(FindCalibrator("min-max").value()->name, "min-max");
}

}  // namespace
}  // namespace octet
