// SPDX-License-Identifier: Apache-2.0
#include "models/graph/passes/fold_batch_normalization.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/graph/passes/passes.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

ConstantTensor Floats(Dims dims, const std::vector<float>& elements) {
  return ConstantTensor::Copy(DataType::kFloat32, std::move(dims), elements);
}

// x -> `op` with `weight` -> BatchNormalization over two channels -> y. Factors 2 and -0.5.
Graph Network(const std::string& op, const ConstantTensor& weight, bool has_bias = true) {
  const TensorType type{DataType::kFloat32, {Dim(kRows), 2}, std::nullopt};
  Graph graph;
  const ValueId x = graph.AddValue("x", type);
  const ValueId w = graph.AddConstant("w", weight);
  const ValueId b = graph.AddConstant("b", Floats({2}, {10, 20}));
  const ValueId linear = graph.AddValue("linear", type);
  const ValueId gamma = graph.AddConstant("gamma", Floats({2}, {4, -1}));
  const ValueId beta = graph.AddConstant("beta", Floats({2}, {0.5F, 0.25F}));
  const ValueId mean = graph.AddConstant("mean", Floats({2}, {1, 2}));
  const ValueId variance = graph.AddConstant("variance", Floats({2}, {3, 3}));
  const ValueId y = graph.AddValue("y", type);
  std::vector<ValueId> inputs = {x, w};
  if (has_bias) {
    inputs.resize(op == "FullyConnected" ? 4 : 3, kNoValue);
    inputs.push_back(b);
  }
  graph.nodes = {{"linear", op, inputs, {linear}, {}},
                 {"norm",
                  "BatchNormalization",
                  {linear, gamma, beta, mean, variance},
                  {y},
                  {{"epsilon", 1.0}}}};
  graph.inputs = {x};
  graph.outputs = {y};
  return graph;
}

const ConstantTensor& InputOf(const Graph& graph, std::size_t index) {
  return *graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[index])].constant;
}

TEST(FoldBatchNormalizationTest, ScalesWeightAndBias) {
  Graph graph = Network("FullyConnected", Floats({3, 2}, {1, 2, 3, 4, 5, 6}));
  FoldBatchNormalization(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].name, "linear");
  EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
  EXPECT_THAT(InputOf(graph, 1).as<float>(), ElementsAre(2, -1, 6, -2, 10, -3));
  // (10 - 1) * 2 + 0.5 and (20 - 2) * -0.5 + 0.25.
  EXPECT_THAT(InputOf(graph, 4).as<float>(), ElementsAre(18.5F, -8.75F));
}

TEST(FoldBatchNormalizationTest, MakesABiasWhereThereWasNone) {
  for (const Dims& dims : {Dims{1, 1, 2, 2}, Dims{2, 1, 1, 1, 2}}) {
    Graph graph =
        Network(dims.size() == 4 ? "Conv2d" : "Conv3d", Floats(dims, {1, 2, 3, 4}), false);
    FoldBatchNormalization(graph);
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_THAT(InputOf(graph, 1).as<float>(), ElementsAre(2, -1, 6, -2));
    EXPECT_EQ(InputOf(graph, 1).dims(), dims);
    EXPECT_THAT(InputOf(graph, 3).as<float>(), ElementsAre(-1.5F, 1.25F));
  }
}

TEST(FoldBatchNormalizationTest, ADepthwiseChannelIsBothLastDimensions) {
  for (const Dims& dims : {Dims{2, 1, 2, 1}, Dims{2, 1, 1, 2}}) {
    Graph graph = Network("DepthwiseConv2d", Floats(dims, {1, 2, 3, 4}));
    FoldBatchNormalization(graph);
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_THAT(InputOf(graph, 1).as<float>(), ElementsAre(2, -1, 6, -2));
    EXPECT_EQ(InputOf(graph, 1).dims(), dims);
  }
}

TEST(FoldBatchNormalizationTest, ATransposedWeightStaysTransposed) {
  Graph graph = Network("FullyConnected", Floats({2, 3}, {1, 3, 5, 2, 4, 6}));
  graph.nodes[0].attributes["transpose_weight"] = std::int64_t{1};
  FoldBatchNormalization(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_THAT(InputOf(graph, 1).as<float>(), ElementsAre(2, 6, 10, -1, -2, -3));
  EXPECT_EQ(InputOf(graph, 1).dims(), (Dims{2, 3}));
  EXPECT_EQ(graph.nodes[0].Int("transpose_weight", 0).value(), 1);
}

TEST(FoldBatchNormalizationTest, AFactorMayBeSmallOrZero) {
  Graph graph = Network("FullyConnected", Floats({1, 2}, {1, 2}));
  graph.values[4].constant = Floats({2}, {0, 2e-20F});
  FoldBatchNormalization(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_THAT(InputOf(graph, 1).as<float>(), ElementsAre(0, 2e-20F));
  EXPECT_THAT(InputOf(graph, 4).as<float>(), ElementsAre(0.5F, 0.25F));
}

void ExpectKept(Graph graph, const std::string& why) {
  const std::vector<ValueId> inputs = graph.nodes[0].inputs;
  FoldBatchNormalization(graph);
  ASSERT_EQ(graph.nodes.size(), 2U) << why;
  EXPECT_EQ(graph.nodes[0].inputs, inputs) << why;
}

TEST(FoldBatchNormalizationTest, LeavesWhatItMayNotFold) {
  const Graph good = Network("FullyConnected", Floats({3, 2}, {1, 2, 3, 4, 5, 6}));
  Graph graph = good;
  graph.nodes[0].attributes["activation"] = std::string("relu");
  ExpectKept(graph, "an activation between");
  graph = good;
  graph.nodes[0].attributes["activation_quantization"] = std::string("dynamic");
  ExpectKept(graph, "int8");
  graph = good;
  graph.outputs.push_back(graph.nodes[0].outputs[0]);
  ExpectKept(graph, "the result is used elsewhere");
  graph = good;
  graph.nodes[1].attributes["axis"] = std::int64_t{0};
  ExpectKept(graph, "another axis");
  graph = good;
  graph.nodes[1].attributes["epsilon"] = -3.0;  // a division by zero
  ExpectKept(graph, "a factor that is not finite");
  graph = good;
  graph.values[4].constant = Floats({2}, {3e38F, 1});
  ExpectKept(graph, "a weight that overflows");
  graph = good;
  graph.values[5].constant = Floats({2}, {INFINITY, 1});
  ExpectKept(graph, "a bias that is not finite");
  graph = good;
  graph.values[1].constant =
      ConstantTensor::Copy(DataType::kInt8, {3, 2}, std::vector<std::int8_t>(6, 1));
  ExpectKept(graph, "an int8 weight");
  graph = good;
  graph.nodes[0].op = "MatMul";
  ExpectKept(graph, "another operator");
}

TEST(FoldBatchNormalizationTest, TheWholeListFoldsAndFuses) {
  Graph graph = Network("FullyConnected", Floats({3, 2}, {1, 2, 3, 4, 5, 6}));
  const ValueId clipped = graph.AddValue("clipped", graph.values[0].type);
  graph.nodes.push_back(
      {"relu", "Activation", {graph.outputs[0]}, {clipped}, {{"activation", std::string("relu")}}});
  graph.outputs = {clipped};
  RunPasses(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
  EXPECT_EQ(graph.nodes[0].String("activation", "").value(), "relu");
}

}  // namespace
}  // namespace octet
