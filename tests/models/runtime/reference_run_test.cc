// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/reference_run.h"

#include <vector>

#include "gtest/gtest.h"

#include "models/operators/operators.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

TensorType FloatType(Shape shape) { return {DataType::kFloat32, std::move(shape), std::nullopt}; }

class ReferenceRunTest : public ::testing::Test {
 protected:
  const OperatorRegistry operators_ = BuiltInOperators();
};

TEST_F(ReferenceRunTest, AGraphWithoutInputsAnswersOneRow) {
  Graph graph;
  const ValueId value = graph.AddConstant("value", FloatConstant({3}, {1, -2, 3}));
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 3}));
  const ValueId y = graph.AddValue("y", FloatType({Dim(kRows), 3}));
  graph.nodes.push_back({"x", "Constant", {value}, {x}, {}});
  graph.nodes.push_back({"y", "Activation", {x}, {y}, {{"activation", std::string("relu")}}});
  graph.outputs = {y, x};
  const auto answers = RunOnReference(graph, operators_, {});
  ASSERT_TRUE(answers.ok()) << answers.status();
  ASSERT_EQ(answers->size(), 2U);
  EXPECT_EQ((*answers)[0].dims(), (Dims{1, 3}));
  EXPECT_EQ(Elements<float>((*answers)[0]), (std::vector<float>{1, 0, 3}));
  EXPECT_EQ(Elements<float>((*answers)[1]), (std::vector<float>{1, -2, 3}));
}

TEST_F(ReferenceRunTest, AnswersEveryRowOfItsInputs) {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2}));
  const ValueId y = graph.AddValue("y", FloatType({Dim(kRows), 2}));
  graph.nodes.push_back({"y", "Activation", {x}, {y}, {{"activation", std::string("relu")}}});
  graph.inputs = {x};
  graph.outputs = {y};
  std::vector<Tensor> inputs;
  inputs.push_back(Floats({2, 2}, {-1, 2, 3, -4}));
  const auto answers = RunOnReference(graph, operators_, inputs);
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ(Elements<float>((*answers)[0]), (std::vector<float>{0, 2, 3, 0}));
  EXPECT_EQ(RunOnReference(graph, operators_, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
