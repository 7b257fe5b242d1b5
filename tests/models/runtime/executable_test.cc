// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/executable.h"

#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using testing::Append;
using testing::FloatType;
using testing::TinyKernels;
using testing::TinyOperators;

Graph Chain() {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), 2, 3}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId flat = Append(graph, "Flatten", {twice}, "flat");
  const ValueId y = Append(graph, "Round", {flat}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

TEST(ExecutableTest, TellsItsSignatureAndSteps) {
  const OperatorRegistry operators = TinyOperators();
  const auto executable = Executable::Compile(Chain(), operators, TinyKernels(), {.max_rows = 5});
  ASSERT_TRUE(executable.ok()) << executable.status();
  ASSERT_EQ((*executable)->inputs().size(), 1U);
  EXPECT_EQ((*executable)->inputs()[0].name, "x");
  EXPECT_EQ((*executable)->inputs()[0].type, FloatType({Dim(kRows), 2, 3}));
  EXPECT_EQ((*executable)->outputs()[0].name, "y");
  EXPECT_EQ((*executable)->outputs()[0].type.data_type, DataType::kInt8);
  EXPECT_EQ((*executable)->max_rows(), 5);
  EXPECT_EQ(&(*executable)->kernel_set(), &TinyKernels());
  const auto steps = (*executable)->steps();
  ASSERT_EQ(steps.size(), 2U);  // a reinterpretation is none
  EXPECT_EQ(steps[0].node, "twice");
  EXPECT_EQ(steps[0].op, "Twice");
  EXPECT_EQ(steps[0].kernel, "tiny:Twice");
  EXPECT_EQ(steps[1].node, "y");
}

TEST(ExecutableTest, RefusesAGraphThatDoesNotVerify) {
  const OperatorRegistry operators = TinyOperators();
  Graph graph = Chain();
  graph.nodes[0].op = "Thrice";
  EXPECT_EQ(Executable::Compile(graph, operators, TinyKernels()).status().code(),
            absl::StatusCode::kUnimplemented);
  graph = Chain();
  graph.outputs.clear();
  EXPECT_EQ(Executable::Compile(graph, operators, TinyKernels()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ExecutableTest, RefusesAnImpossibleNumberOfRows) {
  const OperatorRegistry operators = TinyOperators();
  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_EQ(
        Executable::Compile(Chain(), operators, TinyKernels(), {.max_rows = rows}).status().code(),
        absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace octet
