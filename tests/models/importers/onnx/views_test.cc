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

}  // namespace
}  // namespace octet::onnx
