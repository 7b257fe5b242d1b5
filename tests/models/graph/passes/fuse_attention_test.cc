// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_attention.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/attention_network.h"

namespace octet {
namespace {

using testing::AttentionNetwork;
using testing::Scaling;

ValueId IdOf(const Graph& graph, const std::string& name) {
  const auto value = std::find_if(graph.values.begin(), graph.values.end(),
                                  [&name](const Value& v) { return v.name == name; });
  return static_cast<ValueId>(value - graph.values.begin());
}

Node& NodeCalled(Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(),
                       [&name](const Node& node) { return node.name == name; });
}

TEST(FuseAttentionTest, OneNodeStandsForAllOfThem) {
  for (const Scaling scaling : {Scaling::kScores, Scaling::kQueryAndKey}) {
    for (const bool is_key_transposed : {false, true}) {
      Graph graph = AttentionNetwork({scaling, is_key_transposed});
      const auto inputs = graph.inputs;
      FuseAttention(graph);
      ASSERT_EQ(graph.nodes.size(), 1U);
      const Node& node = graph.nodes[0];
      EXPECT_EQ(node.op, "Attention");
      EXPECT_EQ(node.inputs, inputs);
      EXPECT_EQ(node.outputs, graph.outputs);
      EXPECT_NEAR(node.Float("scale", 0).value(), 0.5, 1e-7);
      EXPECT_EQ(node.Int("zero_masked_rows", 0).value(), 0);
    }
  }
}

TEST(FuseAttentionTest, TakesTheMask) {
  Graph graph = AttentionNetwork({.has_mask = true});
  FuseAttention(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  ASSERT_EQ(graph.nodes[0].inputs.size(), 4U);
  EXPECT_EQ(graph.nodes[0].inputs[3], graph.inputs[3]);
  EXPECT_EQ(graph.nodes[0].Int("zero_masked_rows", 0).value(), 1);
}

void ExpectKept(Graph graph, const std::string& why) {
  const std::size_t count = graph.nodes.size();
  FuseAttention(graph);
  EXPECT_EQ(graph.nodes.size(), count) << why;
}

TEST(FuseAttentionTest, LeavesWhatIsNoAttention) {
  const Graph good = AttentionNetwork({});
  Graph graph = good;
  graph.outputs.push_back(IdOf(graph, "probabilities"));
  ExpectKept(graph, "the probabilities are an output");
  graph = good;
  NodeCalled(graph, "probabilities").attributes["axis"] = std::int64_t{2};
  ExpectKept(graph, "the softmax is over the queries");
  graph = good;
  NodeCalled(graph, "value_heads").attributes["permutation"] =
      std::vector<std::int64_t>{0, 1, 2, 3};
  ExpectKept(graph, "the value is not transposed");
  graph = good;
  NodeCalled(graph, "context").attributes["transpose_b"] = std::int64_t{1};
  ExpectKept(graph, "the value is transposed once more");
  graph = good;
  NodeCalled(graph, "scores").attributes["transpose_a"] = std::int64_t{1};
  ExpectKept(graph, "the query is transposed once more");
  graph = good;
  graph.values[static_cast<std::size_t>(graph.inputs[1])].type.shape[2] = Dim(2);
  ExpectKept(graph, "the heads do not divide");
  graph = good;
  graph.values[static_cast<std::size_t>(IdOf(graph, "root"))].constant =
      ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{0});
  ExpectKept(graph, "the scale is infinite");
}

TEST(FuseAttentionTest, AFactorThatIsNoNumberStays) {
  Graph graph = AttentionNetwork({});
  graph.values[static_cast<std::size_t>(IdOf(graph, "root"))].constant.reset();
  ExpectKept(graph, "the divisor is computed");
}

}  // namespace
}  // namespace octet
