// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/filled_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

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
using ::testing::HasSubstr;

class FilledTensorsTest : public ::octet::testing::OnnxImportTest {};

// x [n, 3, 2] with its batch as "rows" [1].
OnnxGraph WithRows() {
  return {.nodes = {OnnxNode("Shape", {"x"}, {"rows"}, {OnnxInt("start", 0), OnnxInt("end", 1)})},
          .initializers = {OnnxNumbers("zero", {0}), OnnxNumbers("one", {1}),
                           OnnxNumbers("two", {2}), OnnxNumbers("four", {4})},
          .inputs = {OnnxValue("x", {0, 3, 2})},
          .outputs = {OnnxValue("y", {0, 4, 2})}};
}

// As PyTorch's exporters give the layers of an LSTM their initial states.
TEST_F(FilledTensorsTest, StatesThatAreZeroAreNone) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("number", {}, {0.0F}));
  graph.initializers.push_back(OnnxTensor("w", {1, 16, 2}, std::vector<float>(32, 0.5F)));
  graph.initializers.push_back(OnnxTensor("r", {1, 16, 4}, std::vector<float>(64, 0.5F)));
  graph.nodes.push_back(OnnxNode("Concat", {"two", "rows", "four"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Expand", {"number", "s"}, {"states"}));
  graph.nodes.push_back(OnnxNode("Slice", {"states", "zero", "one", "zero"}, {"state"}));
  graph.nodes.push_back(OnnxNode("Transpose", {"x"}, {"steps"}, {OnnxInts("perm", {1, 0, 2})}));
  graph.nodes.push_back(OnnxNode("LSTM", {"steps", "w", "r", "", "", "state", "state"},
                                 {"", "last"}, {OnnxInt("hidden_size", 4)}));
  graph.nodes.push_back(OnnxNode("Squeeze", {"last", "zero"}, {"y"}));
  graph.outputs = {OnnxValue("y", {0, 4})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ::testing::Contains("Lstm").Times(1));
  EXPECT_THAT(Ops(*bundle), ::testing::Not(::testing::Contains("Gather")));
}

// A class token, as vision transformers have it.
TEST_F(FilledTensorsTest, AConstantIsJoinedToEachRow) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("token", {1, 1, 2}, {1.0F, 2.0F}));
  graph.nodes.push_back(OnnxNode("Concat", {"rows", "one", "two"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Expand", {"token", "s"}, {"tokens"}));
  graph.nodes.push_back(OnnxNode("Concat", {"tokens", "x"}, {"y"}, {OnnxInt("axis", 1)}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Positions", "Slice", "Gather", "Concat"));
}

TEST_F(FilledTensorsTest, WhatIsTheSameForEveryRowOfAWrittenBatchIsJoinedToo) {
  OnnxGraph graph = WithRows();
  graph.nodes.clear();
  graph.inputs = {OnnxValue("x", {1, 3, 2})};
  graph.outputs = {OnnxValue("y", {1, 4, 2})};
  graph.initializers.push_back(OnnxTensor("token", {1, 1, 2}, {1.0F, 2.0F}));
  graph.nodes.push_back(OnnxNode("Concat", {"token", "x"}, {"y"}, {OnnxInt("axis", 1)}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 4, 2]");
}

// As tf2onnx gives both directions of a layer one state.
TEST_F(FilledTensorsTest, StatesThatAreJoinedAreZeroStill) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("number", {}, {0.0F}));
  graph.initializers.push_back(OnnxTensor("w", {2, 16, 2}, std::vector<float>(64, 0.5F)));
  graph.initializers.push_back(OnnxTensor("r", {2, 16, 4}, std::vector<float>(128, 0.5F)));
  graph.nodes.push_back(OnnxNode("Concat", {"one", "rows", "four"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Expand", {"number", "s"}, {"part"}));
  graph.nodes.push_back(OnnxNode("Concat", {"part", "part"}, {"state"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Transpose", {"x"}, {"steps"}, {OnnxInts("perm", {1, 0, 2})}));
  graph.nodes.push_back(
      OnnxNode("LSTM", {"steps", "w", "r", "", "", "state", "state"}, {"", "last"},
               {OnnxInt("hidden_size", 4),
                WireMessage().Bytes(1, "direction").Bytes(4, "bidirectional").Number(20, 3)}));
  graph.nodes.push_back(OnnxNode("ReduceSum", {"last", "zero"}, {"y"}, {OnnxInt("keepdims", 0)}));
  graph.outputs = {OnnxValue("y", {0, 4})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ::testing::Contains("Lstm").Times(2));
  EXPECT_THAT(Ops(*bundle), ::testing::Not(::testing::Contains("Gather")));
}

// As Keras's GRU begins, whose steps are written out: zeros times a matrix, and a bias.
TEST_F(FilledTensorsTest, AVectorForEachRowIsSplit) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("vector", {4}, {1.0F, 2.0F, 3.0F, 4.0F}));
  graph.nodes.push_back(OnnxNode("Concat", {"rows", "three", "four"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.initializers.push_back(OnnxNumbers("three", {3}));
  graph.nodes.push_back(OnnxNode("Expand", {"vector", "s"}, {"filled"}));
  graph.nodes.push_back(OnnxNode("Split", {"filled"}, {"a", "b"}, {OnnxInt("axis", -1)}));
  graph.nodes.push_back(OnnxNode("Split", {"filled", "parts"}, {"c", "d"}, {OnnxInt("axis", 1)}));
  graph.initializers.push_back(OnnxNumbers("parts", {2, 1}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "b"}, {"e"}));
  graph.nodes.push_back(OnnxNode("ReduceSum", {"x", "ends"}, {"f"}));
  graph.initializers.push_back(OnnxNumbers("ends", {1, 2}));
  graph.nodes.push_back(OnnxNode("Add", {"f", "d"}, {"z"}));
  graph.nodes.push_back(OnnxNode("Identity", {"e"}, {"y"}));
  graph.outputs = {OnnxValue("y", {0, 3, 2}), OnnxValue("z", {0, 1, 4})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 3, 2]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[1]), "[rows, 1, 4]");
}

TEST_F(FilledTensorsTest, AConstantIsRepeatedForEachRow) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("token", {1, 1, 2}, {1.0F, 2.0F}));
  graph.nodes.push_back(OnnxNode("Concat", {"rows", "one", "one"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Tile", {"token", "s"}, {"tokens"}));
  graph.nodes.push_back(OnnxNode("Concat", {"tokens", "x"}, {"y"}, {OnnxInt("axis", 1)}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Positions", "Slice", "Gather", "Concat"));
}

TEST_F(FilledTensorsTest, AnEmptyPartIsRefused) {
  OnnxGraph graph = WithRows();
  graph.initializers.push_back(OnnxTensor("number", {}, {0.0F}));
  graph.nodes.push_back(OnnxNode("Concat", {"rows", "one", "two"}, {"s"}, {OnnxInt("axis", 0)}));
  graph.nodes.push_back(OnnxNode("Expand", {"number", "s"}, {"zeros"}));
  graph.nodes.push_back(OnnxNode("Slice", {"zeros", "one", "one", "one"}, {"none"}));
  graph.nodes.push_back(OnnxNode("Concat", {"none", "x"}, {"y"}, {OnnxInt("axis", 1)}));
  const auto bundle = Import(graph);
  ASSERT_FALSE(bundle.ok());
  EXPECT_THAT(std::string(bundle.status().message()), HasSubstr("an empty result"));
}

}  // namespace
}  // namespace octet::onnx
