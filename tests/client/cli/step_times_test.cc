// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_times.h"

#include <vector>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "tests/support/small_network.h"

namespace octet::cli {
namespace {

using testing::SmallImages;
using testing::SmallNetwork;

TEST(MedianTest, IsTheMiddleOrTheLargerOfTwo) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({4}), 4);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({9, 1, 5, 7}), 7);
}

TEST(StepTimesTest, EachStepHasATimeHoweverShortTheDuration) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto executable = Executable::Compile(SmallNetwork().graph, operators,
                                              *kernels::BestKernelSet(), {.max_rows = 2})
                              .value();
  std::vector<Tensor> images;
  images.push_back(SmallImages(2));
  const auto times = MeasureSteps(*executable, images, std::chrono::milliseconds(0));
  ASSERT_TRUE(times.ok()) << times.status();
  const std::vector<StepDescription> steps = executable->steps();
  ASSERT_EQ(times->size(), steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ((*times)[i].node, steps[i].node);
    EXPECT_EQ((*times)[i].op, steps[i].op);
    EXPECT_GT((*times)[i].median_us, 0);
  }
}

TEST(StepTimesTest, InputsThatDoNotFitAreRefused) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto executable =
      Executable::Compile(SmallNetwork().graph, operators, *kernels::BestKernelSet()).value();
  const auto times = MeasureSteps(*executable, {}, std::chrono::milliseconds(0));
  EXPECT_EQ(times.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet::cli
