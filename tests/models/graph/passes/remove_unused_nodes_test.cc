// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/remove_unused_nodes.h"

#include "gtest/gtest.h"

#include "models/graph/verify.h"
#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using testing::Append;

TEST(RemoveUnusedNodesTest, KeepsWhatAnOutputDependsOn) {
  Graph graph;
  const ValueId x = graph.AddValue("x", testing::FloatType({Dim(kRows), 4}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId unused = Append(graph, "Twice", {twice}, "unused");
  Append(graph, "Crop", {unused}, "unused_too");
  const ValueId halves = Append(graph, "Halves", {twice}, "halves");
  const ValueId y = Append(graph, "Sum", {halves, x}, "y");
  graph.inputs = {x};
  graph.outputs = {y};
  RemoveUnusedNodes(graph);
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[0].name, "twice");
  EXPECT_EQ(graph.nodes[1].name, "halves");
  EXPECT_EQ(graph.nodes[1].outputs.size(), 2U) << "one of its outputs is used";
  EXPECT_EQ(graph.nodes[2].name, "y");
  EXPECT_TRUE(VerifyGraph(graph, testing::TinyOperators()).ok());
}

TEST(RemoveUnusedNodesTest, AnOutputOfTheGraphIsUsed) {
  Graph graph;
  const ValueId x = graph.AddValue("x", testing::FloatType({Dim(kRows), 4}));
  graph.inputs = {x};
  graph.outputs = {Append(graph, "Twice", {x}, "y")};
  RemoveUnusedNodes(graph);
  EXPECT_EQ(graph.nodes.size(), 1U);
}

}  // namespace
}  // namespace octet
