// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/step_runner.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using testing::Append;
using testing::Counting;
using ::testing::ElementsAre;
using testing::FloatType;
using testing::TinyKernels;
using testing::TinyOperators;

// x [rows, 2, 2] -> flat -> twice -> flat + twice: a reinterpretation, and a value used late.
Graph Network() {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2, 2}));
  const ValueId flat = Append(graph, "Flatten", {x}, "flat");
  const ValueId twice = Append(graph, "Twice", {flat}, "twice");
  graph.inputs = {x};
  graph.outputs = {Append(graph, "Sum", {twice, flat}, "sum")};
  return graph;
}

class StepRunnerTest : public ::testing::Test {
 protected:
  StepRunnerTest() { inputs_.push_back(Counting({1, 2, 2})); }

  std::shared_ptr<const Executable> Compile(const CompileOptions& options = {}) {
    return Executable::Compile(Network(), operators_, TinyKernels(), options).value();
  }

  const OperatorRegistry operators_ = TinyOperators();
  std::vector<Tensor> inputs_;
};

std::vector<float> Floats(const TensorView& view) {
  const auto* const data = view.as<float>();
  return {data, data + NumElements(view.dims)};
}

TEST_F(StepRunnerTest, KeepsWhatEachStepReadsAndWrites) {
  const auto executable = Compile();
  const auto runner = StepRunner::Create(*executable, inputs_);
  ASSERT_TRUE(runner.ok()) << runner.status();
  ASSERT_EQ((*runner)->num_steps(), executable->steps().size());
  ASSERT_EQ((*runner)->num_steps(), 2U);
  for (std::size_t i = 0; i < 2; ++i) (*runner)->Run(i);
  const std::vector<float> x = Floats(inputs_[0].view());
  EXPECT_EQ(Floats((*runner)->inputs(0)[0]), x);
  EXPECT_THAT(Floats((*runner)->outputs(0)[0]),
              ElementsAre(2 * x[0], 2 * x[1], 2 * x[2], 2 * x[3]));
  EXPECT_EQ((*runner)->inputs(1)[0].data, (*runner)->outputs(0)[0].data);
  EXPECT_THAT(Floats((*runner)->outputs(1)[0]),
              ElementsAre(3 * x[0], 3 * x[1], 3 * x[2], 3 * x[3]));
}

TEST_F(StepRunnerTest, AStepMayRunAgain) {
  const auto executable = Compile();
  const auto runner = StepRunner::Create(*executable, inputs_).value();
  for (std::size_t i = 0; i < 2; ++i) runner->Run(i);
  const std::vector<float> once = Floats(runner->outputs(1)[0]);
  for (std::size_t i = 0; i < 2; ++i) runner->Run(i);
  EXPECT_EQ(Floats(runner->outputs(1)[0]), once);
}

TEST_F(StepRunnerTest, InputsThatDoNotFitAreRefused) {
  const auto executable = Compile();
  std::vector<Tensor> wrong;
  wrong.push_back(Counting({1, 2, 3}));
  EXPECT_EQ(StepRunner::Create(*executable, wrong).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(StepRunnerTest, AValueBeyondTheArenaAllowedIsRefused) {
  const auto executable = Compile({.max_rows = 1, .max_arena_byte_size = 4096});
  std::vector<Tensor> large;
  large.push_back(Counting({1000, 2, 2}));
  EXPECT_EQ(StepRunner::Create(*executable, large).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace octet
