// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fuse_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
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

// How other frameworks take the weight of keys away.
enum class Masking { kSum, kSumTheOtherWay, kChoice };

// A network whose scores are masked so, by `low`; the mask is its last input.
Graph MaskedNetwork(Masking masking, float low) {
  Graph graph = AttentionNetwork({});
  const ValueId mask =
      graph.AddValue("mask", {DataType::kBool, {Dim(kRows), 1, 1, Dim(Symbol{1})}, std::nullopt});
  graph.inputs.push_back(mask);
  const auto number = [&graph](const std::string& name, float value) {
    return graph.AddConstant(
        name, ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{value}));
  };
  const ValueId scores = IdOf(graph, "scaled");
  const TensorType like_scores = graph.values[static_cast<std::size_t>(scores)].type;
  TensorType like_mask = graph.values[static_cast<std::size_t>(mask)].type;
  const ValueId lowest = number("low", low);
  const ValueId masked = graph.AddValue("masked", like_scores);
  std::vector<Node> added;
  if (masking == Masking::kChoice) {
    added.push_back({"masked", "Where", {mask, scores, lowest}, {masked}, {}});
  } else {
    ValueId condition = mask;
    if (masking == Masking::kSumTheOtherWay) {
      condition = graph.AddValue("hidden", like_mask);
      added.push_back({"hidden", "Not", {mask}, {condition}, {}});
    }
    like_mask.data_type = DataType::kFloat32;
    const ValueId addend = graph.AddValue("addend", like_mask);
    const ValueId zero = number("zero", 0);
    const bool is_kept = masking == Masking::kSum;
    added.push_back({"addend",
                     "Where",
                     {condition, is_kept ? zero : lowest, is_kept ? lowest : zero},
                     {addend},
                     {}});
    added.push_back({"masked", "Add", {addend, scores}, {masked}, {}});
  }
  Node& softmax = NodeCalled(graph, "probabilities");
  softmax.inputs = {masked};
  graph.nodes.insert(graph.nodes.begin() + (&softmax - graph.nodes.data()), added.begin(),
                     added.end());
  return graph;
}

TEST(FuseAttentionTest, TakesAMaskThatIsAddedOrChosen) {
  for (const Masking masking : {Masking::kSum, Masking::kSumTheOtherWay, Masking::kChoice}) {
    for (const float low : {-10000.0F, std::numeric_limits<float>::lowest(),
                            -std::numeric_limits<float>::infinity()}) {
      Graph graph = MaskedNetwork(masking, low);
      FuseAttention(graph);
      ASSERT_EQ(graph.nodes.size(), 1U) << static_cast<int>(masking);
      ASSERT_EQ(graph.nodes[0].inputs.size(), 4U);
      EXPECT_EQ(graph.nodes[0].inputs[3], graph.inputs[3]);
      EXPECT_EQ(graph.nodes[0].Int("zero_masked_rows", 0).value(), std::isinf(low) ? 1 : 0);
    }
  }
}

TEST(FuseAttentionTest, LeavesSumsThatOnlyLowerScores) {
  ExpectKept(MaskedNetwork(Masking::kSum, -5), "a key keeps some weight");
  ExpectKept(MaskedNetwork(Masking::kChoice, -5), "a key keeps some weight");
  Graph graph = MaskedNetwork(Masking::kSum, -10000);
  graph.values[static_cast<std::size_t>(IdOf(graph, "masked"))].type.shape[1] = Dim(12);
  ExpectKept(graph, "the sum is larger than the scores");
  ExpectKept(MaskedNetwork(Masking::kSum, std::numeric_limits<float>::quiet_NaN()), "no number");
}

TEST(FuseAttentionTest, TakesZeroInPlaceOfWhatIsNotANumber) {
  Graph graph = MaskedNetwork(Masking::kSum, -std::numeric_limits<float>::infinity());
  const ValueId weights = IdOf(graph, "probabilities");
  const TensorType like_weights = graph.values[static_cast<std::size_t>(weights)].type;
  TensorType bits = like_weights;
  bits.data_type = DataType::kBool;
  const ValueId is_nan = graph.AddValue("is_nan", bits);
  const ValueId zero = graph.AddConstant(
      "nothing", ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{0}));
  const ValueId guarded = graph.AddValue("guarded", like_weights);
  Node& context = NodeCalled(graph, "context");
  context.inputs[0] = guarded;
  const std::vector<Node> added = {{"is_nan", "NotEqual", {weights, weights}, {is_nan}, {}},
                                   {"guarded", "Where", {is_nan, zero, weights}, {guarded}, {}}};
  graph.nodes.insert(graph.nodes.begin() + (&context - graph.nodes.data()), added.begin(),
                     added.end());
  FuseAttention(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].Int("zero_masked_rows", 0).value(), 1);
}

TEST(FuseAttentionTest, AFactorThatIsNoNumberStays) {
  Graph graph = AttentionNetwork({});
  graph.values[static_cast<std::size_t>(IdOf(graph, "root"))].constant.reset();
  ExpectKept(graph, "the divisor is computed");
}

}  // namespace
}  // namespace octet
