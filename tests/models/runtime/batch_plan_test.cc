// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/batch_plan.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "tests/support/count_allocations.h"
#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::allocations;
using ::octet::testing::Append;
using ::octet::testing::FloatType;
using ::octet::testing::TinyKernels;
using ::octet::testing::TinyOperators;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

std::shared_ptr<const Executable> Compile(Graph graph, const CompileOptions& options = {}) {
  static const OperatorRegistry operators = TinyOperators();
  return Executable::Compile(std::move(graph), operators, TinyKernels(), options).value();
}

// y = x / 2 + x / 2, minus a column.
Graph SumOfHalves() {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), Dim(Symbol{1})}));
  const ValueId half = Append(graph, "Halves", {x}, "half");
  const ValueId cropped = Append(graph, "Crop", {half}, "cropped");
  graph.inputs = {x};
  graph.outputs = {Append(graph, "Sum", {cropped, cropped}, "y")};
  return graph;
}

Ints DimsOf(const TensorView& view) { return {view.dims.begin(), view.dims.end()}; }

// Of the first output of step `step`.
const Place& PlaceOfOutput(const BatchPlan& plan, const Executable& executable, std::size_t step) {
  const std::int32_t value = executable.compiled().steps[step].outputs[0];
  return plan.places()[static_cast<std::size_t>(value)];
}

TEST(BatchPlanTest, TellsWhereValuesLieAndHowLargeTheyAre) {
  const auto executable = Compile(SumOfHalves());
  BatchPlan plan(*executable);
  ASSERT_TRUE(plan.Make(Ints{3, 5}).ok());
  EXPECT_EQ(plan.rows(), 3);
  ASSERT_EQ(plan.steps().size(), 3U);
  EXPECT_EQ(DimsOf(plan.steps()[0].views.inputs[0]), (Ints{3, 5}));
  EXPECT_EQ(DimsOf(plan.steps()[1].views.outputs[0]), (Ints{3, 4}));

  const Place& input = plan.places()[static_cast<std::size_t>(executable->compiled().inputs[0])];
  EXPECT_EQ(input.storage, Storage::kInput);
  EXPECT_EQ(input.index, 0);
  EXPECT_EQ(PlaceOfOutput(plan, *executable, 2).storage, Storage::kOutput);
  const Place& half = PlaceOfOutput(plan, *executable, 0);
  const Place& cropped = PlaceOfOutput(plan, *executable, 1);
  EXPECT_EQ(half.storage, Storage::kArena);
  EXPECT_EQ(cropped.storage, Storage::kArena);
  EXPECT_NE(half.byte_offset, cropped.byte_offset) << "the one is made of the other";
  EXPECT_THAT(plan.output_row_byte_sizes(), ElementsAre(4 * sizeof(float)));
}

TEST(BatchPlanTest, InputsAndScratchHaveTheirOwnPartOfTheArena) {
  const auto executable = Compile(SumOfHalves());
  BatchPlan plan(*executable);
  ASSERT_TRUE(plan.Make(Ints{3, 5}).ok());
  ASSERT_EQ(plan.inputs().size(), 1U);
  const PlannedInput& input = plan.inputs()[0];
  EXPECT_EQ(input.byte_size, 15 * sizeof(float));
  for (const std::size_t step : {0U, 1U}) {
    EXPECT_LT(PlaceOfOutput(plan, *executable, step).byte_offset, input.staging_offset);
  }
  EXPECT_GE(plan.scratch_offset(), input.staging_offset + input.byte_size);
  EXPECT_EQ(plan.scratch_byte_size(), 15 * sizeof(float)) << "the most that a step wants";
  EXPECT_GE(plan.arena_byte_size(), plan.scratch_offset() + plan.scratch_byte_size());
}

TEST(BatchPlanTest, AChainHasBlocksAndARest) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 1000, 3}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  graph.inputs = {x};
  graph.outputs = {Append(graph, "Twice", {twice}, "y")};
  const auto executable = Compile(std::move(graph));
  BatchPlan plan(*executable);
  ASSERT_TRUE(plan.Make(Ints{2}).ok());
  ASSERT_EQ(plan.chains().size(), 1U);
  const PlannedChain& chain = plan.chains()[0];
  EXPECT_EQ(chain.num_rows, 2000);
  EXPECT_EQ(chain.block_rows, RowsPerBlock(3 * 3 * sizeof(float)));
  EXPECT_THAT(chain.row_byte_sizes, ElementsAre(12, 12, 12));
  const std::int64_t rest = chain.num_rows % chain.block_rows;
  ASSERT_GT(rest, 0);
  for (const PlannedStep& step : plan.steps()) {
    EXPECT_EQ(DimsOf(step.views.inputs[0]), (Ints{1, chain.block_rows, 3}));
    EXPECT_EQ(DimsOf(step.views.outputs[0]), (Ints{1, chain.block_rows, 3}));
    EXPECT_EQ(DimsOf(step.rest_views.inputs[0]), (Ints{1, rest, 3}));
    EXPECT_EQ(DimsOf(step.rest_views.outputs[0]), (Ints{1, rest, 3}));
  }
}

// Two slices of the last dimension, joined.
Graph OverlappingSlices() {
  Graph graph;
  const auto slice = [&graph](const std::string& name, std::int64_t start) {
    const ValueId id = graph.AddValue(name, FloatType({Dim(kRows), 4, 2}));
    graph.nodes.push_back(
        {name,
         "Slice",
         {0},
         {id},
         {{"axes", Ints{2}}, {"starts", Ints{start}}, {"ends", Ints{start + 2}}}});
    return id;
  };
  graph.inputs = {graph.AddValue("x", FloatType({Dim(kRows), 4, 3}))};
  const ValueId left = slice("left", 0);
  const ValueId right = slice("right", 1);
  graph.outputs = {graph.AddValue("y", FloatType({Dim(kRows), 4, 4}))};
  graph.nodes.push_back({"y", "Concat", {left, right}, graph.outputs, {{"axis", std::int64_t{2}}}});
  return graph;
}

TEST(BatchPlanTest, PitchesAndOffsetsOfSlicesArePlanned) {
  const OperatorRegistry operators = BuiltInOperators();
  const kernels::KernelSet& kernels = *kernels::FindKernelSet("reference");
  const auto executable = Executable::Compile(OverlappingSlices(), operators, kernels).value();
  BatchPlan plan(*executable);
  for (const std::int64_t rows : {1, 5}) {
    ASSERT_TRUE(plan.Make(Ints{rows}).ok());
    ASSERT_EQ(plan.steps().size(), 3U);
    EXPECT_THAT(plan.steps()[2].input_pitches, ElementsAre(3, 3)) << rows;
    EXPECT_THAT(plan.steps()[2].output_pitches, ElementsAre(0)) << rows;
    for (const std::size_t step : {0U, 1U}) {
      const Place& place = PlaceOfOutput(plan, *executable, step);
      EXPECT_EQ(place.storage, Storage::kInput);
      EXPECT_EQ(place.byte_offset, step * sizeof(float));
    }
  }
}

TEST(BatchPlanTest, AnInputThatIsTooShortIsNamedAndTheNextBatchIsPlanned) {
  Graph graph = SumOfHalves();
  graph.outputs = {Append(graph, "Crop", {graph.outputs[0]}, "z")};
  const auto executable = Compile(std::move(graph));
  BatchPlan plan(*executable);
  const absl::Status status = plan.Make(Ints{2, 1});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("Crop \"z\""), HasSubstr("[2, -1]"), HasSubstr("too short")));
  EXPECT_FALSE(plan.Make(Ints{2, 1}).ok()) << "asked again";
  ASSERT_TRUE(plan.Make(Ints{2, 7}).ok());
  EXPECT_EQ(DimsOf(plan.steps().back().views.outputs[0]), (Ints{2, 5}));
}

TEST(BatchPlanTest, ARunThatNeedsTooMuchMemoryIsRefused) {
  const auto executable = Compile(SumOfHalves(), {.max_rows = 8, .max_arena_byte_size = 4096});
  BatchPlan plan(*executable);
  const absl::Status status = plan.Make(Ints{8, 1000});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 4096"));
  ASSERT_TRUE(plan.Make(Ints{8, 10}).ok());
  EXPECT_LE(plan.arena_byte_size(), 4096U);
}

TEST(BatchPlanTest, MakingItAllocatesNothing) {
  const auto executable = Compile(SumOfHalves());
  BatchPlan plan(*executable);
  const std::vector<Ints> batches = {{1, 2}, {64, 900}, {7, 30}, {7, 30}, {64, 900}};
  const long before = allocations;
  for (const Ints& batch : batches) EXPECT_TRUE(plan.Make(batch).ok());
  EXPECT_EQ(allocations - before, 0);
}

}  // namespace
}  // namespace octet
