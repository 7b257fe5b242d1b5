// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_activation.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

// a, b -> `op` -> Activation -> y.
Graph Network(const std::string& op, const std::string& activation) {
  const TensorType type{DataType::kFloat32, {Dim(kRows), 2}, std::nullopt};
  Graph graph;
  const ValueId a = graph.AddValue("a", type);
  const ValueId b = graph.AddValue("b", type);
  const ValueId linear = graph.AddValue("linear", type);
  const ValueId y = graph.AddValue("y", type);
  graph.nodes = {{"linear", op, {a, b}, {linear}, {}},
                 {"clip", "Activation", {linear}, {y}, {{"activation", activation}}}};
  graph.inputs = {a, b};
  graph.outputs = {y};
  return graph;
}

TEST(FuseActivationTest, MovesAClipIntoTheNodeBefore) {
  for (const std::string op : {"FullyConnected", "Conv2d", "DepthwiseConv2d", "Add", "Multiply"}) {
    for (const std::string activation : {"relu", "relu6"}) {
      Graph graph = Network(op, activation);
      FuseActivation(graph);
      ASSERT_EQ(graph.nodes.size(), 1U) << op;
      EXPECT_EQ(graph.nodes[0].name, "linear");
      EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
      EXPECT_EQ(graph.nodes[0].String("activation", "").value(), activation);
    }
  }
}

void ExpectKept(Graph graph, const std::string& why) {
  FuseActivation(graph);
  EXPECT_EQ(graph.nodes.size(), 2U) << why;
}

TEST(FuseActivationTest, LeavesWhatItMayNotFuse) {
  ExpectKept(Network("Add", "tanh"), "not a clip");
  ExpectKept(Network("MatMul", "relu"), "an operator without activation");
  const Graph good = Network("Add", "relu");
  Graph graph = good;
  graph.nodes[1].attributes["activation_alpha"] = 0.1;
  ExpectKept(graph, "a leaky relu");
  graph = good;
  graph.nodes[0].attributes["activation"] = std::string("tanh");
  ExpectKept(graph, "an activation already");
  graph = good;
  graph.outputs.push_back(graph.nodes[0].outputs[0]);
  ExpectKept(graph, "the unclipped result is an output");
  graph = good;
  graph.values[2].type.data_type = DataType::kInt8;
  ExpectKept(graph, "int8");
}

TEST(FuseActivationTest, FusesOneOfTwoInARow) {
  Graph graph = Network("Add", "relu");
  const ValueId z = graph.AddValue("z", graph.values[0].type);
  graph.nodes.push_back(
      {"second", "Activation", {graph.outputs[0]}, {z}, {{"activation", std::string("relu6")}}});
  graph.outputs = {z};
  FuseActivation(graph);
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].String("activation", "").value(), "relu");
  EXPECT_EQ(graph.nodes[1].name, "second");
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
}

}  // namespace
}  // namespace octet
