// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/share_quantized_rows.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// The node that makes `id`, which must be in front of node `before`.
const Node* MakerInFront(const Graph& graph, ValueId id, std::size_t before) {
  for (std::size_t n = 0; n < before; ++n) {
    if (std::ranges::count(graph.nodes[n].outputs, id) != 0) return &graph.nodes[n];
  }
  return nullptr;
}

// Makers that take turns, whose rows layers take with two kinds of parameters: layer `i` those of
// maker i % makers.size(), with the parameters of i / makers.size() % 2.
Graph GroupsOfLayers(const std::vector<std::string>& makers, std::size_t num_layers) {
  Graph graph;
  const ValueId x = graph.AddValue("x", Rows());
  graph.inputs = {x};
  std::vector<ValueId> made;
  for (const std::string& maker : makers) {
    const std::string name = absl::StrCat("maker", made.size());
    made.push_back(graph.AddValue(name, Rows()));
    graph.nodes.push_back({name, maker, {x}, {made.back()}, {}});
  }
  for (std::size_t i = 0; i < num_layers; ++i) {
    Node layer = Layer(graph, absl::StrCat("layer", i), made[i % makers.size()]);
    if (i / makers.size() % 2 == 1) layer.attributes["dynamic_range"] = std::int64_t{7};
    graph.nodes.push_back(std::move(layer));
  }
  return graph;
}

TEST(ShareQuantizedRowsTest, EachGroupOfLayersHasItsOwnRows) {
  const std::vector<std::string> makers = {"Attention", "Gather", "Relu", "RmsNormalization"};
  constexpr std::size_t kNumLayers = 24;
  const Graph before = GroupsOfLayers(makers, kNumLayers);
  Graph graph = before;
  ShareQuantizedRows(graph);
  ASSERT_EQ(graph.nodes.size(), before.nodes.size() + makers.size() * 2);

  std::set<const Node*> sharing;
  std::set<std::string> names;
  std::size_t layer = 0;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    EXPECT_TRUE(names.insert(node.name).second) << node.name;
    if (node.op != "FullyConnected") continue;
    const Node& original = before.nodes[makers.size() + layer++];
    EXPECT_EQ(node.name, original.name) << "the layers keep their order";
    const Node* const rows = MakerInFront(graph, node.inputs[0], n);
    ASSERT_NE(rows, nullptr);
    EXPECT_EQ(rows->op, "QuantizeRows");
    EXPECT_EQ(rows->inputs[0], original.inputs[0]);
    EXPECT_EQ(rows->outputs[1], node.inputs[kRowScale]);
    EXPECT_EQ(rows->Int("dynamic_range", 127).value(), node.Int("dynamic_range", 127).value());
    sharing.insert(rows);
  }
  EXPECT_EQ(layer, kNumLayers);
  EXPECT_EQ(sharing.size(), makers.size() * 2);
}

TEST(ShareQuantizedRowsTest, AmongGroupsALayerOfItsOwnIsLeftAlone) {
  // Behind each maker two layers with the one kind of parameters, and one with the other.
  Graph graph = GroupsOfLayers({"Attention", "Relu", "Gather"}, 6);
  for (std::size_t n = 0; n < 3; ++n) {
    Node layer = Layer(graph, absl::StrCat("more", n), graph.nodes[n].outputs[0]);
    graph.nodes.push_back(std::move(layer));
  }
  ShareQuantizedRows(graph);
  std::size_t num_alone = 0;
  for (const Node& node : graph.nodes) {
    if (node.op == "FullyConnected" && !node.HasInput(kRowScale)) ++num_alone;
  }
  EXPECT_EQ(num_alone, 2U) << "those of the attention and the relu; a gather makes row by row";
  EXPECT_EQ(std::ranges::count(graph.nodes, "QuantizeRows", &Node::op), 4);
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
