// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_times.h"

#include <memory>
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

class StepTimesTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Executable> Compile() {
    return Executable::Compile(SmallNetwork().graph, operators_, *kernels::BestKernelSet(),
                               {.max_rows = 2})
        .value();
  }
  const OperatorRegistry operators_ = BuiltInOperators();
};

TEST_F(StepTimesTest, EachModelAndStepHasATimeHoweverShortTheDuration) {
  std::vector<Tensor> images;
  images.push_back(SmallImages(2));
  const auto executable = Compile();
  const auto times = MeasureModels({executable, Compile()}, images, std::chrono::milliseconds(0));
  ASSERT_TRUE(times.ok()) << times.status();
  ASSERT_EQ(times->size(), 2U);
  const std::vector<StepDescription> steps = executable->steps();
  for (const ModelTimes& model : *times) {
    EXPECT_GT(model.median_us, 0);
    ASSERT_EQ(model.steps.size(), steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(model.steps[i].node, steps[i].node);
      EXPECT_EQ(model.steps[i].op, steps[i].op);
      EXPECT_EQ(model.steps[i].kernel, steps[i].kernel);
      EXPECT_GT(model.steps[i].median_us, 0);
    }
  }
}

TEST_F(StepTimesTest, AStepThatMovesNothingTakesNoTime) {
  using Ints = std::vector<std::int64_t>;
  testing::NetworkBuilder net(1);
  const ValueId x = net.Activation("x", {Dim(kRows), 4, 2});
  const ValueId slice = net.Activation("slice", {Dim(kRows), 2, 2});
  net.AddNode("slice", "Slice", {x}, slice,
              {{"axes", Ints{1}}, {"starts", Ints{1}}, {"ends", Ints{3}}});
  const ValueId y = net.Activation("y", {Dim(kRows), 2, 2});
  net.AddNode("square", "Activation", {slice}, y, {{"activation", std::string("square")}});
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  const std::shared_ptr<const Executable> executable =
      Executable::Compile(net.graph, operators_, *kernels::FindKernelSet("reference"),
                          {.max_rows = 2})
          .value();
  for (const std::int64_t rows : {1, 2}) {
    std::vector<Tensor> inputs;
    inputs.emplace_back(DataType::kFloat32, Dims{rows, 4, 2});
    const auto times = MeasureModels({executable}, inputs, std::chrono::milliseconds(0));
    ASSERT_TRUE(times.ok()) << times.status();
    EXPECT_EQ((*times)[0].steps[0].median_us == 0, rows == 1);
    EXPECT_GT((*times)[0].steps[1].median_us, 0);
  }
}

TEST_F(StepTimesTest, InputsThatDoNotFitAreRefused) {
  const auto times = MeasureModels({Compile()}, {}, std::chrono::milliseconds(0));
  EXPECT_EQ(times.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet::cli
