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

TEST(FuseActivationTest, MovesAnActivationIntoTheNodeBefore) {
  for (const std::string op :
       {"FullyConnected", "Conv2d", "Conv3d", "DepthwiseConv2d", "Add", "Multiply"}) {
    for (const std::string activation : {"relu", "relu6", "gelu", "tanh"}) {
      Graph graph = Network(op, activation);
      FuseActivation(graph);
      ASSERT_EQ(graph.nodes.size(), 1U) << op;
      EXPECT_EQ(graph.nodes[0].name, "linear");
      EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
      EXPECT_EQ(graph.nodes[0].String("activation", "").value(), activation);
    }
  }
}

TEST(FuseActivationTest, TakesItsParametersAndLeavesTheRest) {
  Graph graph = Network("FullyConnected", "elu");
  graph.nodes[0].attributes["activation_quantization"] = std::string("dynamic");
  graph.nodes[0].attributes["activation_beta"] = 3.0;  // of no activation
  graph.nodes[1].attributes["activation_alpha"] = 0.5;
  FuseActivation(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  const Node& fused = graph.nodes[0];
  EXPECT_EQ(fused.Float("activation_alpha", 0).value(), 0.5);
  EXPECT_FALSE(fused.attributes.contains("activation_beta"));
  EXPECT_EQ(fused.String("activation_quantization", "").value(), "dynamic");
}

TEST(FuseActivationTest, FuseClipMovesOnlyReluWithoutParameters) {
  for (const std::string activation : {"relu", "relu6"}) {
    Graph graph = Network("Add", activation);
    FuseClip(graph);
    EXPECT_EQ(graph.nodes.size(), 1U) << activation;
  }
  Graph graph = Network("Add", "tanh");
  FuseClip(graph);
  EXPECT_EQ(graph.nodes.size(), 2U);
  graph = Network("Add", "relu");
  graph.nodes[1].attributes["activation_alpha"] = 0.1;
  FuseClip(graph);
  EXPECT_EQ(graph.nodes.size(), 2U);
}

void ExpectKept(Graph graph, const std::string& why) {
  FuseActivation(graph);
  EXPECT_EQ(graph.nodes.size(), 2U) << why;
}

TEST(FuseActivationTest, LeavesWhatItMayNotFuse) {
  ExpectKept(Network("Add", "softmax"), "needs the whole row");
  ExpectKept(Network("MatMul", "relu"), "an operator without activation");
  const Graph good = Network("Add", "relu");
  Graph graph = good;
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
