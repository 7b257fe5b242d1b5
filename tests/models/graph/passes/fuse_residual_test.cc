// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_residual.h"

#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr std::size_t kResidual = 7;

// x -> FullyConnected "layer" -> Add "sum" with r -> y; r is made behind the layer.
Graph Network() {
  const TensorType type{DataType::kFloat32, {Dim(kRows), 2}, std::nullopt};
  Graph graph;
  const ValueId x = graph.AddValue("x", type);
  const ValueId w = graph.AddValue("w", {DataType::kFloat32, {2, 2}, std::nullopt});
  const ValueId h = graph.AddValue("h", type);
  const ValueId r = graph.AddValue("r", type);
  const ValueId y = graph.AddValue("y", type);
  graph.nodes = {{"layer", "FullyConnected", {x, w}, {h}, {{"activation", "gelu"}}},
                 {"late", "Activation", {x}, {r}, {{"activation", "tanh"}}},
                 {"sum", "Add", {h, r}, {y}, {}}};
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

TEST(FuseResidualTest, AddsInsideTheLayerWhereverItsResultStands) {
  for (const bool is_first : {true, false}) {
    Graph graph = Network();
    const ValueId residual = graph.nodes[1].outputs[0];
    if (!is_first) std::swap(graph.nodes[2].inputs[0], graph.nodes[2].inputs[1]);
    FuseResidual(graph);
    ASSERT_EQ(graph.nodes.size(), 2U);
    const Node& layer = graph.nodes[1];  // behind what makes the residual
    EXPECT_EQ(layer.name, "layer");
    EXPECT_EQ(layer.String("activation", "").value(), "gelu");
    ASSERT_EQ(layer.inputs.size(), kResidual + 1);
    EXPECT_EQ(layer.inputs[kResidual], residual);
    EXPECT_EQ(layer.inputs[1], 1);
    EXPECT_FALSE(layer.HasInput(4));
    EXPECT_EQ(layer.outputs, graph.outputs);
  }
}

TEST(FuseResidualTest, TakesOneResidualALayer) {
  Graph graph = Network();
  const ValueId z = graph.AddValue("z", graph.values[0].type);
  graph.nodes.push_back({"again", "Add", {graph.outputs[0], graph.inputs[0]}, {z}, {}});
  graph.outputs = {z};
  FuseResidual(graph);
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[1].name, "layer");
  EXPECT_EQ(graph.nodes[2].name, "again");
}

TEST(FuseResidualTest, FusesOneOfTwoLayersThatAreAdded) {
  Graph graph = Network();
  graph.nodes[1].op = "FullyConnected";
  graph.nodes[1].inputs = graph.nodes[0].inputs;
  FuseResidual(graph);
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].name, "late");
  EXPECT_EQ(graph.nodes[1].inputs[kResidual], graph.nodes[0].outputs[0]);
}

void ExpectKept(Graph graph, const std::string& why) {
  FuseResidual(graph);
  EXPECT_EQ(graph.nodes.size(), 3U) << why;
}

TEST(FuseResidualTest, LeavesWhatItMayNotFuse) {
  Graph graph = Network();
  graph.nodes[2].attributes["activation"] = std::string("relu");
  ExpectKept(graph, "the sum is clipped");
  graph = Network();
  graph.nodes[0].attributes["activation"] = std::string("softmax");
  ExpectKept(graph, "the row is finished before the sum");
  graph = Network();
  graph.nodes[0].attributes["activation_quantization"] = std::string("static");
  ExpectKept(graph, "integers");
  graph = Network();
  graph.outputs.push_back(graph.nodes[0].outputs[0]);
  ExpectKept(graph, "the layer's result is used elsewhere");
  graph = Network();
  graph.values[3].type.shape = {1, 2};
  ExpectKept(graph, "broadcast");
  graph = Network();
  graph.nodes[2].op = "Subtract";
  ExpectKept(graph, "no sum");
  graph = Network();
  graph.nodes[2].inputs[1] = graph.nodes[2].inputs[0];
  ExpectKept(graph, "the layer twice");
  graph = Network();
  graph.values[3].constant =
      ConstantTensor::Copy(DataType::kFloat32, {1, 2}, std::vector<float>{1.0F, 2.0F});
  ExpectKept(graph, "a constant, which may lie unaligned");
}

}  // namespace
}  // namespace octet
