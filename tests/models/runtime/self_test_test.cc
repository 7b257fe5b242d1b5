// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/self_test.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using testing::Append;
using testing::FloatTensor;
using testing::FloatType;
using testing::TinyOperators;

// x [rows, 2] to 2x and to round(2x).
class SelfTestTest : public ::testing::Test {
 protected:
  SelfTestTest() {
    inputs_.push_back(FloatTensor({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7}));
    expected_.push_back(FloatTensor({4, 2}, {0, 2, 4, 6, 8, 10, 12, 14}));
    Tensor rounded(DataType::kInt8, {4, 2});
    for (std::size_t i = 0; i < 8; ++i)
      rounded.as<std::int8_t>()[i] = static_cast<std::int8_t>(2 * i);
    expected_.push_back(std::move(rounded));
  }

  absl::Status Run(const kernels::KernelSet& kernels, double tolerance) {
    Graph graph;
    const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2}));
    const ValueId twice = Append(graph, "Twice", {x}, "twice");
    const ValueId rounded = Append(graph, "Round", {twice}, "rounded");
    graph.inputs = {x};
    graph.outputs = {twice, rounded};
    Arena arena;
    const auto session =
        Session::Create(Executable::Compile(graph, operators_, kernels).value(), arena).value();
    return RunSelfTest(*session, inputs_, expected_, tolerance);
  }

  OperatorRegistry operators_ = TinyOperators();
  std::vector<Tensor> inputs_;
  std::vector<Tensor> expected_;
};

TEST_F(SelfTestTest, RightKernelsPass) {
  const absl::Status status = Run(testing::TinyKernels(), 0);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(SelfTestTest, AFloatBeyondTheToleranceFails) {
  const absl::Status status = Run(testing::FaultyKernels(), 1e-5);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "self-test: output \"twice\" element 3: got 6.001, wants 6");
}

TEST_F(SelfTestTest, AnIntegerMayDifferBySoManyStepsAsTheToleranceHas) {
  EXPECT_TRUE(Run(testing::FaultyKernels(), 1e-2).ok()) << "2 of 255";
  const absl::Status status = Run(testing::FaultyKernels(), 3e-3);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "self-test: output \"rounded\" element 3: got 7, wants 6");
}

TEST_F(SelfTestTest, AnIntegerThatDiffersInsideOfAQuantizedModelFails) {
  // Nothing of its input is left, as behind a softmax that is sure of one class.
  operators_.Add(std::make_unique<const testing::TinyOperator>(
      "Forget", 1,
      [](std::span<const TensorType> types) -> absl::StatusOr<std::vector<TensorType>> {
        return std::vector<TensorType>{FloatType(types[0].shape)};
      },
      [](const StepArguments& arguments, bool) {
        std::fill_n(arguments.outputs[0].as<float>(), testing::CountOf(arguments.inputs[0]), 1.0F);
      }));
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2}));
  const ValueId rounded = Append(graph, "Round", {Append(graph, "Twice", {x}, "twice")}, "rounded");
  graph.inputs = {x};
  graph.outputs = {graph.AddValue("answer", FloatType({Dim(kRows), 2}))};
  graph.nodes.push_back({"answer", "Forget", {rounded}, graph.outputs, {}});
  expected_.clear();
  expected_.push_back(FloatTensor({4, 2}, std::vector<float>(8, 1.0F)));
  const auto run = [&](const kernels::KernelSet& kernels) {
    Arena arena;
    const auto session =
        Session::Create(Executable::Compile(graph, operators_, kernels).value(), arena).value();
    return RunWholeSelfTest(*session, graph, operators_, inputs_, expected_, 0.5);
  };
  // The steps of a float model are not compared.
  EXPECT_TRUE(run(testing::FaultyKernels()).ok()) << run(testing::FaultyKernels());
  graph.AddConstant("weight",
                    ConstantTensor::Copy(DataType::kInt8, {1}, std::vector<std::int8_t>{1}));
  EXPECT_TRUE(run(testing::TinyKernels()).ok()) << run(testing::TinyKernels());
  const absl::Status status = run(testing::FaultyKernels());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "self-test: Round \"rounded\" on faulty:Round differs from reference:Round: output 0 "
            "element 3: got 7, wants 6");
}

TEST_F(SelfTestTest, VectorsMustFitTheSignature) {
  expected_.pop_back();
  EXPECT_EQ(Run(testing::TinyKernels(), 0).code(), absl::StatusCode::kInvalidArgument);
  expected_.emplace_back(DataType::kInt8, Dims{3, 2});
  EXPECT_EQ(Run(testing::TinyKernels(), 0).code(), absl::StatusCode::kInvalidArgument);
  inputs_[0] = FloatTensor({4, 1}, {1, 2, 3, 4});
  EXPECT_EQ(Run(testing::TinyKernels(), 0).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
