// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/per_row_tensors.h"

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
using ::octet::testing::WireMessage;
using ::testing::Contains;
using ::testing::HasSubstr;

class PerRowTensorsTest : public ::octet::testing::OnnxImportTest {};

WireMessage Value(const std::string& name, const std::vector<std::string>& dims) {
  WireMessage shape;
  for (const std::string& dim : dims) shape.Message(1, WireMessage().Bytes(2, dim));
  const WireMessage type = WireMessage().Number(1, 1).Message(2, shape);
  return WireMessage().Bytes(1, name).Message(2, WireMessage().Message(1, type));
}

WireMessage Number(const std::string& name, std::int64_t value) {
  return WireMessage()
      .Number(2, kOnnxInt64)
      .Bytes(8, name)
      .Number(7, static_cast<std::uint64_t>(value));
}

// x [b, s, s] with "far" [s, s]: how far two of the s are apart.
OnnxGraph WithDistances() {
  return {
      .nodes = {OnnxNode("Shape", {"x"}, {"sizes"}),
                OnnxNode("Gather", {"sizes", "i1"}, {"length"}),
                OnnxNode("Range", {"i0", "length", "i1"}, {"places"}),
                OnnxNode("Unsqueeze", {"places", "zero"}, {"along"}),
                OnnxNode("Unsqueeze", {"places", "one"}, {"across"}),
                OnnxNode("Sub", {"along", "across"}, {"step"}), OnnxNode("Abs", {"step"}, {"far"})},
      .initializers = {Number("i0", 0), Number("i1", 1), OnnxNumbers("zero", {0}),
                       OnnxNumbers("one", {1}), OnnxNumbers("most", {3})},
      .inputs = {Value("x", {"b", "s", "s"})},
      .outputs = {Value("y", {"b", "s", "s"})}};
}

// What MPNet and T5 add to their scores.
TEST_F(PerRowTensorsTest, DistancesAreLookedUpInATable) {
  OnnxGraph graph = WithDistances();
  graph.initializers.push_back(OnnxTensor("table", {4, 2}, std::vector<float>(8, 0.5F)));
  graph.initializers.push_back(OnnxNumbers("heads", {1}));
  graph.nodes.push_back(OnnxNode("Min", {"far", "most"}, {"bucket"}));
  graph.nodes.push_back(OnnxNode("Gather", {"table", "bucket"}, {"bias"}));
  graph.nodes.push_back(OnnxNode("Transpose", {"bias"}, {"turned"}, {OnnxInts("perm", {2, 0, 1})}));
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"turned", "zero"}, {"whole"}));
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"x", "heads"}, {"scores"}));
  graph.nodes.push_back(OnnxNode("Add", {"scores", "whole"}, {"y"}));
  graph.outputs = {Value("y", {"b", "h", "s", "s"})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), Contains("Gather"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 2, s, s]");
}

TEST_F(PerRowTensorsTest, AValueWithTheBatchInFrontTakesThem) {
  OnnxGraph graph = WithDistances();
  graph.nodes.push_back(OnnxNode("Cast", {"far"}, {"real"}, {OnnxInt("to", 1)}));
  graph.nodes.push_back(OnnxNode("Mul", {"x", "real"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, s, s]");
}

// The whole model is run once a row then: each tensor has one dimension more.
TEST_F(PerRowTensorsTest, AnAnswerWithoutTheBatchIsOneOfTheWholeModel) {
  OnnxGraph graph = WithDistances();
  graph.nodes.push_back(OnnxNode("Add", {"far", "i0"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, b, s, s]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, s, s]");
}

TEST_F(PerRowTensorsTest, AnOperatorThatCannotTakeThemIsNamed) {
  OnnxGraph graph = WithDistances();
  graph.nodes.push_back(OnnxNode("Softmax", {"far"}, {"soft"}));
  graph.nodes.push_back(OnnxNode("Mul", {"x", "soft"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_FALSE(bundle.ok());
  EXPECT_THAT(std::string(bundle.status().message()),
              HasSubstr("Softmax \"Softmax_soft\": takes what each row computes"));
}

// ONNX's has an axis of 1 where the value has the batch: as an answer it would be another one.
TEST_F(PerRowTensorsTest, AnAnswerOfDistancesAloneHasNoBatch) {
  OnnxGraph graph = WithDistances();
  graph.nodes.push_back(OnnxNode("Unsqueeze", {"far", "zero"}, {"y"}));
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 1, s, s]");
}

}  // namespace
}  // namespace octet::onnx
