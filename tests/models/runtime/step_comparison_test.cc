// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/step_comparison.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using testing::Append;
using testing::Counting;
using testing::FaultyKernels;
using testing::FloatType;
using testing::TinyKernels;
using testing::TinyOperators;

Graph Chain(const std::string& last) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2, 2}));
  const ValueId flat = Append(graph, "Flatten", {x}, "flat");
  const ValueId twice = Append(graph, "Twice", {flat}, "twice");
  const ValueId halves = Append(graph, "Halves", {twice}, "halves");
  const ValueId sum = Append(graph, "Sum", {halves, flat}, "sum");
  graph.inputs = {x};
  graph.outputs = {Append(graph, last, {sum}, "last")};
  return graph;
}

class StepComparisonTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Executable> Compile(const Graph& graph, const kernels::KernelSet& kernels,
                                            const CompileOptions& options = {}) {
    return Executable::Compile(graph, operators_, kernels, options).value();
  }
  static std::vector<Tensor> Inputs() {
    std::vector<Tensor> inputs;
    inputs.push_back(Counting({4, 2, 2}));
    return inputs;
  }
  OperatorRegistry operators_ = TinyOperators();
};

TEST_F(StepComparisonTest, EqualKernelsPass) {
  const Graph graph = Chain("Round");
  const auto inputs = Inputs();
  const absl::Status status =
      CompareSteps(*Compile(graph, TinyKernels()), *Compile(graph, TinyKernels()), inputs, 0);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StepComparisonTest, AnIntegerThatDiffersNamesNodeAndKernels) {
  const Graph graph = Chain("Round");
  const auto inputs = Inputs();
  const absl::Status status =
      CompareSteps(*Compile(graph, FaultyKernels()), *Compile(graph, TinyKernels()), inputs, 0.1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "Round \"last\" on faulty:Round differs from tiny:Round: output 0 element 3: got 7, "
            "wants 6");
}

TEST_F(StepComparisonTest, AFloatBeyondTheToleranceNamesTheFirstStep) {
  const Graph graph = Chain("Twice");
  const auto inputs = Inputs();
  const absl::Status status =
      CompareSteps(*Compile(graph, FaultyKernels()), *Compile(graph, TinyKernels()), inputs, 1e-6);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              ::testing::StartsWith("Twice \"twice\" on faulty:Twice differs"));
}

TEST_F(StepComparisonTest, AnErrorDoesNotGrowFromStepToStep) {
  // Off by 0.001 of at most 60 in each of two steps; the second gets the reference's input.
  const Graph graph = Chain("Twice");
  const auto inputs = Inputs();
  EXPECT_TRUE(
      CompareSteps(*Compile(graph, FaultyKernels()), *Compile(graph, TinyKernels()), inputs, 4e-5)
          .ok());
}

TEST_F(StepComparisonTest, RefusesOtherInputsOtherGraphsAndTooMuchMemory) {
  const Graph graph = Chain("Twice");
  const auto chosen = Compile(graph, TinyKernels());
  std::vector<Tensor> inputs = Inputs();
  EXPECT_EQ(CompareSteps(*chosen, *Compile(Chain("Round"), TinyKernels()), inputs, 0).code(),
            absl::StatusCode::kInvalidArgument);
  const auto small = Compile(graph, TinyKernels(), {.max_arena_byte_size = 10});
  EXPECT_EQ(CompareSteps(*small, *chosen, inputs, 0).code(), absl::StatusCode::kResourceExhausted);
  inputs[0] = Counting({4, 2});
  EXPECT_EQ(CompareSteps(*chosen, *chosen, inputs, 0).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
