// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_profile.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::cli {
namespace {

using ::testing::DoubleEq;
using ::testing::HasSubstr;

ModelTimes Times() {
  return {.median_us = 11,
          .steps = {{"dense1", "FullyConnected", 2, "avx2 6x16"},
                    {"softmax", "Softmax", 5, "avx2:softmax_f32"},
                    {"dense2", "FullyConnected", 3, "avx2 6x16"},
                    {"again", "Softmax", 6, "avx2:softmax_f32"}}};
}

TEST(StepProfileTest, KindsAreSummedUpAndTheLongestComesFirst) {
  const StepProfile profile = MakeStepProfile(Times());
  EXPECT_EQ(profile.median_us, 11);
  EXPECT_EQ(profile.steps_us, 16);
  ASSERT_EQ(profile.kinds.size(), 2U);
  EXPECT_EQ(profile.kinds[0].op, "Softmax");
  EXPECT_EQ(profile.kinds[0].num_steps, 2);
  EXPECT_EQ(profile.kinds[0].us, 11);
  EXPECT_THAT(profile.kinds[0].percent, DoubleEq(68.75));
  EXPECT_EQ(profile.kinds[1].op, "FullyConnected");
  EXPECT_EQ(profile.kinds[1].us, 5);
  EXPECT_THAT(profile.kinds[1].percent, DoubleEq(31.25));
}

TEST(StepProfileTest, TheLongestStepComesFirstAndEqualOnesInTheirOrder) {
  ModelTimes times = Times();
  times.steps[2].median_us = 5;
  const StepProfile profile = MakeStepProfile(times);
  std::string order;
  for (const StepTime& step : profile.steps) order += step.node + " ";
  EXPECT_EQ(order, "again softmax dense2 dense1 ");
}

TEST(StepProfileTest, StepsThatTookNoTimeHaveNoShare) {
  const StepProfile profile =
      MakeStepProfile({.median_us = 0, .steps = {{"copy", "Reshape", 0, "portable"}}});
  EXPECT_EQ(profile.kinds[0].percent, 0);
  EXPECT_THAT(StepProfileText(profile), HasSubstr("1  0.00  0.0\n"));
}

TEST(StepProfileTest, AModelWithoutStepsHasAnEmptyProfile) {
  const StepProfile profile = MakeStepProfile({});
  EXPECT_TRUE(profile.kinds.empty());
  EXPECT_EQ(StepProfileJson(profile)["steps"].dump(), "[]");
}

TEST(StepProfileTest, JsonHasTheNamesThatProgramsRead) {
  StepProfile profile =
      MakeStepProfile({.median_us = 4, .steps = {{"dense", "FullyConnected", 2, "avx2 6x16"}}});
  profile.kernel_set = "avx2";
  profile.batch = 8;
  EXPECT_EQ(
      StepProfileJson(profile).dump(),
      "{\"kernel_set\":\"avx2\",\"batch\":8,\"median_us\":4.0,\"steps_us\":2.0,"
      "\"kinds\":[{\"operator\":\"FullyConnected\",\"steps\":1,\"us\":2.0,\"percent\":100.0}],"
      "\"steps\":[{\"node\":\"dense\",\"operator\":\"FullyConnected\",\"kernel\":\"avx2 "
      "6x16\",\"us\":2.0,\"percent\":100.0}]}");
}

}  // namespace
}  // namespace octet::cli
