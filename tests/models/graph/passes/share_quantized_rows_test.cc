// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/share_quantized_rows.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

constexpr std::size_t kRowScale = 8;

const TensorType& Rows() {
  static const TensorType type{DataType::kFloat32, {Dim(kRows), 3, 2}, std::nullopt};
  return type;
}

Node Layer(Graph& graph, const std::string& name, ValueId x) {
  const ValueId weight = graph.AddValue(name + "/w", {DataType::kInt8, {2, 2}, std::nullopt});
  const ValueId y = graph.AddValue(name + "/y", Rows());
  graph.outputs.push_back(y);
  return {name, "FullyConnected", {x, weight}, {y}, {{"activation_quantization", "dynamic"}}};
}

// x -> "maker" -> m, which the layers "a" and "b" take.
Graph Network(const std::string& maker) {
  Graph graph;
  const ValueId x = graph.AddValue("x", Rows());
  const ValueId m = graph.AddValue("m", Rows());
  graph.inputs = {x};
  graph.nodes.push_back({"maker", maker, {x}, {m}, {}});
  graph.nodes.push_back(Layer(graph, "a", m));
  graph.nodes.push_back(Layer(graph, "b", m));
  return graph;
}

TEST(ShareQuantizedRowsTest, OneQuantizationServesAllLayersThatTakeTheRows) {
  Graph graph = Network("Attention");
  ShareQuantizedRows(graph);
  ASSERT_EQ(graph.nodes.size(), 4U);
  const Node& rows = graph.nodes[1];
  EXPECT_EQ(rows.op, "QuantizeRows");
  EXPECT_EQ(rows.inputs, graph.nodes[0].outputs);
  ASSERT_EQ(rows.outputs.size(), 2U);
  const Value& values = graph.values[static_cast<std::size_t>(rows.outputs[0])];
  const Value& scale = graph.values[static_cast<std::size_t>(rows.outputs[1])];
  EXPECT_EQ(values.type, (TensorType{DataType::kInt8, {Dim(kRows), 3, 2}, std::nullopt}));
  EXPECT_EQ(scale.type, (TensorType{DataType::kFloat32, {Dim(kRows), 3, 1}, std::nullopt}));
  for (const std::size_t n : {2U, 3U}) {
    const Node& layer = graph.nodes[n];
    ASSERT_EQ(layer.inputs.size(), kRowScale + 1);
    EXPECT_EQ(layer.inputs[0], rows.outputs[0]);
    EXPECT_EQ(layer.inputs[kRowScale], rows.outputs[1]);
    EXPECT_FALSE(layer.HasInput(4));
  }
}

TEST(ShareQuantizedRowsTest, OneLayerIsEnoughBehindWhatMakesRowByRow) {
  for (const std::string maker : {"LayerNormalization", "RmsNormalization", "Gather"}) {
    Graph graph = Network(maker);
    graph.nodes.pop_back();
    graph.outputs.pop_back();
    ShareQuantizedRows(graph);
    ASSERT_EQ(graph.nodes.size(), 3U) << maker;
    EXPECT_EQ(graph.nodes[1].op, "QuantizeRows");
  }
  Graph graph = Network("Attention");
  graph.nodes.pop_back();
  graph.outputs.pop_back();
  ShareQuantizedRows(graph);
  EXPECT_EQ(graph.nodes.size(), 2U);
}

TEST(ShareQuantizedRowsTest, RowsOfOtherParametersAreOtherRows) {
  Graph graph = Network("LayerNormalization");
  graph.nodes[1].attributes["dynamic_range"] = std::int64_t{7};
  // Names that the new nodes and values would like.
  graph.values[0].name = "m/QuantizeRows";
  graph.nodes[2].name = "m/QuantizeRows:2";
  ShareQuantizedRows(graph);
  ASSERT_EQ(graph.nodes.size(), 5U);
  EXPECT_EQ(graph.nodes[1].op, "QuantizeRows");
  EXPECT_EQ(graph.nodes[1].Int("dynamic_range", 127).value(), 7);
  EXPECT_EQ(graph.nodes[3].op, "QuantizeRows");
  EXPECT_EQ(graph.nodes[3].Int("dynamic_range", 127).value(), 127);
  std::set<std::string> names;
  for (const Node& node : graph.nodes) EXPECT_TRUE(names.insert(node.name).second) << node.name;
  names.clear();
  for (const Value& value : graph.values) EXPECT_TRUE(names.insert(value.name).second);
}

void ExpectKept(Graph graph, const std::string& why) {
  ShareQuantizedRows(graph);
  EXPECT_EQ(graph.nodes.size(), 3U) << why;
}

TEST(ShareQuantizedRowsTest, LeavesWhatIsQuantizedInAnotherWay) {
  for (const std::string quantization : {"none", "static"}) {
    Graph graph = Network("LayerNormalization");
    for (const std::size_t n : {1U, 2U}) {
      graph.nodes[n].attributes["activation_quantization"] = quantization;
    }
    ExpectKept(graph, quantization);
  }
  Graph graph = Network("LayerNormalization");
  for (const std::size_t n : {1U, 2U}) graph.nodes[n].inputs = {1, 2, 2, -1, -1, 3};
  ExpectKept(graph, "rows that are reordered first");
}

}  // namespace
}  // namespace octet
