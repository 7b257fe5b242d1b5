// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "models/tensor/shape.h"
#include "tests/support/onnx_import_test.h"
#include "tests/support/onnx_writer.h"

namespace octet::onnx {
namespace {

using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxInt;
using ::octet::testing::OnnxInts;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::octet::testing::WireMessage;
using ::testing::ElementsAre;

class ViewsTest : public ::octet::testing::OnnxImportTest {};

// x [n, 2, 3, 4], with the first two axes as one, as "m" [2n, 3, 4].
OnnxGraph Merged() {
  return {.nodes = {OnnxNode("Reshape", {"x", "together"}, {"m"})},
          .initializers = {OnnxNumbers("together", {-1, 3, 4}), OnnxNumbers("apart", {-1, 2, 4, 3}),
                           OnnxNumbers("back", {-1, 2, 3, 3})},
          .inputs = {OnnxValue("x", {0, 2, 3, 4})},
          .outputs = {OnnxValue("y", {0, 2, 3, 3})}};
}

TEST_F(ViewsTest, ATransposeOfManyMatricesIsOne) {
  OnnxGraph graph = Merged();
  graph.outputs = {OnnxValue("y", {0, 2, 4, 3})};
  graph.nodes.push_back(OnnxNode("Transpose", {"m"}, {"t"}, {OnnxInts("perm", {0, 2, 1})}));
  graph.nodes.push_back(OnnxNode("Reshape", {"t", "apart"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Transpose"));
}

TEST_F(ViewsTest, ProductsOfManyMatricesKeepTheBatch) {
  OnnxGraph graph = Merged();
  graph.initializers.push_back(OnnxTensor("half", {1}, {0.5F}));
  graph.nodes.push_back(OnnxNode("Transpose", {"m"}, {"t"}, {OnnxInts("perm", {0, 2, 1})}));
  graph.nodes.push_back(OnnxNode("MatMul", {"m", "t"}, {"scores"}));
  graph.nodes.push_back(OnnxNode("Mul", {"scores", "half"}, {"scaled"}));
  graph.nodes.push_back(OnnxNode("Softmax", {"scaled"}, {"weights"}, {OnnxInt("axis", -1)}));
  graph.nodes.push_back(OnnxNode("Reshape", {"weights", "back"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Transpose", "MatMul", "Multiply", "Softmax"));
}

// Exporters write a batch of 1 out and leave the channels open: a shuffle of channels.
TEST_F(ViewsTest, ABatchThatIsWrittenOutStaysInFrontOfAnOpenAxis) {
  const OnnxGraph graph = {
      .nodes = {OnnxNode("Reshape", {"x", "groups"}, {"apart"}),
                OnnxNode("Transpose", {"apart"}, {"turned"}, {OnnxInts("perm", {0, 2, 1, 3, 4})}),
                OnnxNode("Reshape", {"turned", "channels"}, {"shuffled"}),
                OnnxNode("MaxPool", {"shuffled"}, {"y"}, {OnnxInts("kernel_shape", {2, 2})})},
      .initializers = {OnnxNumbers("groups", {1, 2, 3, 5, 5}),
                       OnnxNumbers("channels", {1, -1, 5, 5})},
      .inputs = {OnnxValue("x", {1, 6, 5, 5})},
      .outputs = {OnnxValue("y", {1, 6, 4, 4})}};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  const Value& x = bundle->graph.values[static_cast<std::size_t>(bundle->graph.inputs[0])];
  EXPECT_EQ(ToString(x.type.shape, bundle->graph.symbol_names), "[rows, 6, 5, 5]");
}

// The whole model is run once a row then: each tensor has one dimension more.
TEST_F(ViewsTest, WhatMixesTheBatchIsNoView) {
  const auto input_rank = [](const Bundle& bundle) {
    return bundle.graph.values[static_cast<std::size_t>(bundle.graph.inputs[0])].type.shape.size();
  };
  OnnxGraph graph = Merged();
  graph.initializers.push_back(OnnxNumbers("cut", {-1, 6, 2}));
  graph.nodes.push_back(OnnxNode("Reshape", {"m", "cut"}, {"y"}));
  auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(input_rank(*bundle), 5U);
  graph = Merged();
  graph.nodes.push_back(OnnxNode("ReduceSum", {"m"}, {"y"}));
  bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(input_rank(*bundle), 5U);
  graph = Merged();
  graph.initializers.push_back(OnnxNumbers("places", {0, 1}));
  graph.nodes.push_back(OnnxNode("GatherND", {"x", "places"}, {"y"}));
  bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(input_rank(*bundle), 5U);
  EXPECT_THAT(Ops(*bundle), ElementsAre("GatherNd"));
}

// x [n, 3, 4] as PyTorch's attention has it, with the steps first and the batch second.
OnnxGraph StepsFirst() {
  return {.nodes = {OnnxNode("Transpose", {"x"}, {"steps"}, {OnnxInts("perm", {1, 0, 2})})},
          .initializers = {OnnxNumbers("heads", {3, -1, 2}), OnnxNumbers("rows", {-1, 4}),
                           OnnxNumbers("back", {3, -1, 5}), OnnxNumbers("apart", {-1, 2, 3, 2})},
          .inputs = {OnnxValue("x", {0, 3, 4})},
          .outputs = {OnnxValue("y", {0, 2, 3, 2})}};
}

TEST_F(ViewsTest, AnAxisIsCutAndItsPartJoinsTheBatch) {
  OnnxGraph graph = StepsFirst();
  graph.nodes.push_back(OnnxNode("Reshape", {"steps", "heads"}, {"h"}));
  graph.nodes.push_back(OnnxNode("Transpose", {"h"}, {"t"}, {OnnxInts("perm", {1, 0, 2})}));
  graph.nodes.push_back(OnnxNode("Reshape", {"t", "apart"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Reshape", "Transpose"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 2, 3, 2]");
}

TEST_F(ViewsTest, ALayerOfStepsAndRowsIsOneOfRows) {
  OnnxGraph graph = StepsFirst();
  graph.initializers.push_back(OnnxTensor("w", {5, 4}, std::vector<float>(20, 0.5F)));
  graph.initializers.push_back(OnnxTensor("b", {5}, std::vector<float>(5, 0.5F)));
  graph.nodes.push_back(OnnxNode("Reshape", {"steps", "rows"}, {"flat"}));
  graph.nodes.push_back(OnnxNode("Gemm", {"flat", "w", "b"}, {"g"}, {OnnxInt("transB", 1)}));
  graph.nodes.push_back(OnnxNode("Relu", {"g"}, {"r"}));
  graph.nodes.push_back(OnnxNode("Reshape", {"r", "back"}, {"s"}));
  graph.nodes.push_back(OnnxNode("Transpose", {"s"}, {"y"}, {OnnxInts("perm", {1, 0, 2})}));
  graph.outputs = {OnnxValue("y", {0, 3, 5})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("FullyConnected", "Activation"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 3, 5]");
}

// m [2n, 3, 4]: along an axis that the batch is no part of.
TEST_F(ViewsTest, OperatorsComputeOverThePartsOfTheBatch) {
  OnnxGraph graph = Merged();
  graph.outputs = {OnnxValue("y", {0, 2, 3, 2})};
  graph.initializers.push_back(OnnxTensor("scale", {4}, std::vector<float>(4, 1.0F)));
  graph.initializers.push_back(OnnxTensor("bias", {1, 3, 1}, std::vector<float>(3, 1.0F)));
  graph.initializers.push_back(OnnxNumbers("whole", {-1, 2, 3, 2}));
  graph.nodes.push_back(OnnxNode("LayerNormalization", {"m", "scale"}, {"l"}));
  graph.nodes.push_back(OnnxNode("Add", {"l", "bias"}, {"a"}));
  graph.nodes.push_back(OnnxNode("Split", {"a"}, {"first", "second"}, {OnnxInt("axis", 2)}));
  graph.nodes.push_back(OnnxNode("Mul", {"first", "second"}, {"p"}));
  graph.nodes.push_back(OnnxNode("Reshape", {"p", "whole"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("LayerNormalization", "Add", "Slice", "Slice", "Multiply"));
}

TEST_F(ViewsTest, OneOfAnAxisIsTaken) {
  OnnxGraph graph = Merged();
  graph.outputs = {OnnxValue("y", {0, 2, 4})};
  graph.initializers.push_back(OnnxNumbers("whole", {-1, 2, 4}));
  graph.initializers.push_back(
      WireMessage().Number(2, ::octet::testing::kOnnxInt64).Bytes(8, "i").Number(7, 2));
  graph.nodes.push_back(OnnxNode("Gather", {"m", "i"}, {"g"}, {OnnxInt("axis", 1)}));
  graph.nodes.push_back(OnnxNode("Reshape", {"g", "whole"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 2, 4]");
}

// What mixes the rows of a batch is no batch's.
TEST_F(ViewsTest, AlongTheAxisOfTheBatchTheModelIsRunAsAWhole) {
  OnnxGraph graph = Merged();
  graph.nodes.push_back(OnnxNode("Softmax", {"m"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Reshape", {"s", "apart"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, n, 2, 3, 4]");
}

// The axis that a node does not name counts too.
TEST_F(ViewsTest, TheLastAxisMayBeThatOfTheBatch) {
  for (const std::string op : {"Softmax", "LogSoftmax", "LayerNormalization"}) {
    OnnxGraph graph = {
        .nodes = {OnnxNode("Transpose", {"x"}, {"t"}, {OnnxInts("perm", {2, 0, 1})}),
                  OnnxNode("Reshape", {"t", "flat"}, {"r"}),
                  op == "LayerNormalization" ? OnnxNode(op, {"r", "one"}, {"q"})
                                             : OnnxNode(op, {"r"}, {"q"}),
                  OnnxNode("Reshape", {"q", "whole"}, {"u"}),
                  OnnxNode("Transpose", {"u"}, {"y"}, {OnnxInts("perm", {1, 2, 0})})},
        .initializers = {OnnxNumbers("flat", {4, -1}), OnnxNumbers("whole", {4, -1, 3}),
                         OnnxTensor("one", {1}, {1.0F})},
        .inputs = {OnnxValue("x", {0, 3, 4})},
        .outputs = {OnnxValue("y", {0, 3, 4})}};
    const auto bundle = Import(graph);
    // As a model without a batch, or not at all.
    if (bundle.ok()) {
      EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, n, 3, 4]") << op;
    }
  }
}

}  // namespace
}  // namespace octet::onnx
