// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/weight_pass.h"

#include <gtest/gtest.h>
#include <limits>
#include <string>

#include "models/graph/verify.h"
#include "models/operators/operators.h"
#include "models/quantization/graph_edit.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

TEST(WeightPassTest, EveryModeGivesAGraphThatVerifies) {
  for (const QuantizationModeEntry& entry : QuantizationModes()) {
    if (entry.mode == QuantizationMode::kInt8Static) continue;
    Graph graph = testing::SmallNetwork().graph;
    ASSERT_TRUE(QuantizeWeights(graph, entry.mode).ok());
    RemoveUnusedValues(graph);
    const absl::Status status = VerifyGraph(graph, BuiltInOperators());
    EXPECT_TRUE(status.ok()) << std::string(entry.name) << ": " << status;
    const Node& head = graph.nodes.back();
    const bool is_int4 =
        entry.mode == QuantizationMode::kInt4 || entry.mode == QuantizationMode::kInt4Dynamic;
    EXPECT_EQ(testing::ConstantOf(graph, head.inputs[1]).data_type(),
              is_int4 ? DataType::kInt4 : DataType::kInt8);
    // Convolutions have no int4.
    EXPECT_EQ(testing::ConstantOf(graph, graph.nodes[0].inputs[1]).data_type(), DataType::kInt8);
  }
}

TEST(WeightPassTest, AWeightStoredByOutputsKeepsItsRows) {
  testing::NetworkBuilder net(1);
  const ValueId x = net.Activation("x", {Dim(kRows), 3});
  const ValueId w = net.Weight("w", {2, 3}, 1.0F);
  const ValueId y = net.Activation("y", {Dim(kRows), 2});
  net.AddNode("dense", "FullyConnected", {x, w}, y, {{"transpose_weight", std::int64_t{1}}});
  ASSERT_TRUE(QuantizeWeights(net.graph, QuantizationMode::kInt8Dynamic).ok());
  const Node& node = net.graph.nodes[0];
  EXPECT_TRUE(node.attributes.contains("transpose_weight"));
  EXPECT_EQ(testing::ConstantOf(net.graph, node.inputs[1]).dims(), Dims({2, 3}));
  EXPECT_EQ(testing::ConstantOf(net.graph, node.inputs[2]).dims(), Dims({2}));
}

TEST(WeightPassTest, ATiedTableIsQuantizedOnce) {
  for (const QuantizationModeEntry& entry : QuantizationModes()) {
    if (entry.mode == QuantizationMode::kInt8Static) continue;
    testing::NetworkBuilder net(3);
    const ValueId tokens = net.Activation("tokens", {Dim(kRows), 4});
    net.graph.values[0].type.data_type = DataType::kInt32;
    const ValueId table = net.Weight("table", {9, 5}, 1.0F);
    const ValueId vectors = net.Activation("vectors", {Dim(kRows), 4, 5});
    const ValueId logits = net.Activation("logits", {Dim(kRows), 4, 9});
    net.AddNode("embedding", "Gather", {tokens, table}, vectors);
    net.AddNode("head", "FullyConnected", {vectors, table}, logits,
                {{"transpose_weight", std::int64_t{1}}});
    net.graph.inputs = {tokens};
    net.graph.outputs = {logits};
    ASSERT_TRUE(QuantizeWeights(net.graph, entry.mode).ok());
    EXPECT_EQ(net.graph.nodes[0].inputs[1], net.graph.nodes[1].inputs[1]);
    EXPECT_EQ(net.graph.nodes[0].inputs[2], net.graph.nodes[1].inputs[2]);
    RemoveUnusedValues(net.graph);
    const absl::Status status = VerifyGraph(net.graph, BuiltInOperators());
    EXPECT_TRUE(status.ok()) << std::string(entry.name) << ": " << status;
  }
}

TEST(WeightPassTest, WeightsThatAreNotFiniteNameTheNode) {
  testing::NetworkBuilder net(1);
  const ValueId x = net.Activation("x", {Dim(kRows), 3});
  const ValueId w = net.Weight("w", {3, 2}, std::numeric_limits<float>::infinity());
  const ValueId y = net.Activation("y", {Dim(kRows), 2});
  net.AddNode("dense", "FullyConnected", {x, w}, y);
  const absl::Status status = QuantizeWeights(net.graph, QuantizationMode::kInt4);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("\"dense\""), absl::string_view::npos);
}

TEST(WeightPassTest, EmbeddingsGetAScaleARow) {
  testing::NetworkBuilder net(2);
  const ValueId x = net.Activation("x", {Dim(kRows), 4});
  const ValueId table = net.Weight("table", {9, 5}, 1.0F);
  const ValueId y = net.Activation("y", {Dim(kRows), 4, 5});
  net.AddNode("embedding", "Gather", {x, table}, y);
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  for (const QuantizationMode mode : {QuantizationMode::kInt8WeightOnly, QuantizationMode::kInt4}) {
    Graph graph = net.graph;
    ASSERT_TRUE(QuantizeWeights(graph, mode).ok());
    RemoveUnusedValues(graph);
    EXPECT_EQ(testing::ConstantOf(graph, graph.nodes[0].inputs[2]).dims(), Dims({9}));
    const absl::Status status = VerifyGraph(graph, BuiltInOperators());
    EXPECT_TRUE(status.ok()) << status;
  }
}

}  // namespace
}  // namespace octet
