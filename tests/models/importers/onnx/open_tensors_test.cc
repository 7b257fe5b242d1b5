// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/open_tensors.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/support/onnx_import_test.h"
#include "tests/support/onnx_writer.h"

namespace octet::onnx {
namespace {

using ::octet::testing::kOnnxInt64;
using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxInt;
using ::octet::testing::OnnxInts;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::octet::testing::WireMessage;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A tensor of one number, without dimensions.
WireMessage Number(const std::string& name, std::int64_t value) {
  return WireMessage()
      .Number(2, kOnnxInt64)
      .Bytes(8, name)
      .Number(7, static_cast<std::uint64_t>(value));
}

class OpenTensorsTest : public ::octet::testing::OnnxImportTest {};

// x [b, n, 2] with "length", its second dimension, as "l" [1] and "l0" [].
OnnxGraph WithLength() {
  WireMessage shape;
  shape.Message(1, WireMessage().Bytes(2, "b")).Message(1, WireMessage().Bytes(2, "n"));
  shape.Message(1, WireMessage().Number(1, 2));
  const WireMessage type = WireMessage().Number(1, 1).Message(2, shape);
  return {.nodes = {OnnxNode("Shape", {"x"}, {"s"}), OnnxNode("Gather", {"s", "i1"}, {"l0"}),
                    OnnxNode("Unsqueeze", {"l0", "zero"}, {"l"})},
          .initializers = {Number("i0", 0), Number("i1", 1), OnnxNumbers("zero", {0}),
                           OnnxNumbers("one", {1}), OnnxNumbers("two", {2})},
          .inputs = {WireMessage().Bytes(1, "x").Message(2, WireMessage().Message(1, type))},
          .outputs = {OnnxValue("y", {0, 0, 2})}};
}

TEST_F(OpenTensorsTest, PositionsOfATableAreCounted) {
  OnnxGraph graph = WithLength();
  graph.initializers.push_back(OnnxNumbers("numbers", {0, 1, 2, 3, 4}));
  graph.initializers.push_back(OnnxTensor("table", {7, 2}, std::vector<float>(14, 0.5F)));
  graph.nodes.push_back(OnnxNode("Slice", {"numbers", "zero", "l", "zero"}, {"places"}));
  graph.nodes.push_back(OnnxNode("Gather", {"table", "places"}, {"rows"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "rows"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Positions", "Gather", "Reshape", "Add"));
  // The shorter of the two tables decides.
  EXPECT_EQ(bundle->graph.nodes[0].Int("limit", 0).value(), 5);
  ASSERT_EQ(bundle->layers.size(), 1U);
  EXPECT_EQ(bundle->layers[0].layer_class, "Embedding");
}

TEST_F(OpenTensorsTest, RowsOfAConstantAreCutToALength) {
  OnnxGraph graph = WithLength();
  graph.initializers.push_back(OnnxTensor("table", {1, 6, 2}, std::vector<float>(12, 0.5F)));
  graph.nodes.push_back(OnnxNode("Slice", {"table", "one", "l", "one", "one"}, {"rows"}));
  graph.nodes.push_back(OnnxNode("Slice", {"x", "one", "l", "one"}, {"part"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "rows"}, {"y"}));
  // From 1 on there is one row less than x has.
  EXPECT_FALSE(Import(graph).ok());
  graph = WithLength();
  graph.initializers.push_back(OnnxTensor("table", {1, 6, 2}, std::vector<float>(12, 0.5F)));
  graph.nodes.push_back(OnnxNode("Slice", {"table", "zero", "l", "one"}, {"rows"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "rows"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Positions", "Gather", "Reshape", "Add"));
  EXPECT_EQ(bundle->graph.nodes[0].Int("limit", 0).value(), 6);
}

TEST_F(OpenTensorsTest, OneRowForAllIsAConstant) {
  OnnxGraph graph = WithLength();
  graph.initializers.push_back(OnnxNumbers("zeros", {0, 0, 0}));
  graph.initializers.push_back(OnnxTensor("table", {2, 2}, {1, 2, 3, 4}));
  graph.nodes.push_back(OnnxNode("Slice", {"zeros", "zero", "l", "zero"}, {"places"}));
  graph.nodes.push_back(OnnxNode("Gather", {"table", "places"}, {"rows"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "rows"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Add"));
}

TEST_F(OpenTensorsTest, ACausalMaskIsComparedAtRunTime) {
  OnnxGraph graph = WithLength();
  graph.nodes.push_back(OnnxNode("Range", {"i0", "l0", "i1"}, {"places"}));
  graph.initializers.push_back(OnnxNumbers("row", {0, 1}));
  graph.initializers.push_back(OnnxNumbers("column", {0, 2}));
  graph.initializers.push_back(OnnxTensor("low", {1}, {-1}));
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"places", "row"}, {"keys"}));
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"places", "column"}, {"queries"}));
  graph.nodes.push_back(OnnxNode("LessOrEqual", {"keys", "queries"}, {"seen"}));
  graph.nodes.push_back(OnnxNode("Transpose", {"x"}, {"xt"}, {OnnxInts("perm", {0, 2, 1})}));
  graph.nodes.push_back(OnnxNode("MatMul", {"x", "xt"}, {"scores"}));
  graph.nodes.push_back(OnnxNode("Where", {"seen", "scores", "low"}, {"masked"}));
  graph.nodes.push_back(OnnxNode("MatMul", {"masked", "x"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), Contains("Positions"));
}

TEST_F(OpenTensorsTest, AComparisonThatIsAlwaysTrueIsNone) {
  OnnxGraph graph = WithLength();
  graph.nodes.push_back(OnnxNode("Range", {"i0", "l0", "i1"}, {"places"}));
  graph.initializers.push_back(OnnxNumbers("last", {1}));
  graph.initializers.push_back(OnnxTensor("low", {1}, {-1}));
  graph.nodes.push_back(OnnxNode("GreaterOrEqual", {"places", "i0"}, {"real"}));
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"real", "last"}, {"seen"}));
  graph.nodes.push_back(OnnxNode("Where", {"seen", "x", "low"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), Not(Contains("Positions")));
}

TEST_F(OpenTensorsTest, WhatCannotBeCountedIsAnError) {
  const auto message = [this](const OnnxGraph& graph) {
    return std::string(Import(graph).status().message());
  };
  OnnxGraph graph = WithLength();
  graph.initializers.push_back(Number("minus", -1));
  graph.nodes.push_back(OnnxNode("Range", {"l0", "i0", "minus"}, {"places"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "places"}, {"y"}));
  EXPECT_THAT(message(graph), HasSubstr("Range"));
  graph = WithLength();
  graph.nodes.push_back(OnnxNode("Range", {"i1", "l0", "i0"}, {"places"}));
  graph.nodes.push_back(OnnxNode("Add", {"x", "places"}, {"y"}));
  EXPECT_THAT(message(graph), HasSubstr("counts from, or by"));
  graph = WithLength();
  graph.nodes.push_back(OnnxNode("Range", {"i0", "l0", "i1"}, {"y"}));
  EXPECT_THAT(message(graph), HasSubstr("output \"y\""));
}

}  // namespace
}  // namespace octet::onnx
