// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/written_out_layers.h"

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
using ::octet::testing::OnnxModel;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::WireMessage;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WrittenOutLayersTest : public ::octet::testing::OnnxImportTest {};

// A value with the names of its open dimensions, as tf2onnx gives them; others are numbers.
WireMessage Named(const std::string& name, const std::vector<std::string>& dims) {
  WireMessage shape;
  for (const std::string& dim : dims) {
    WireMessage dimension;
    if (dim.find_first_not_of("0123456789") == std::string::npos) {
      dimension.Number(1, std::stoull(dim));
    } else {
      dimension.Bytes(2, dim);
    }
    shape.Message(1, dimension);
  }
  const WireMessage tensor = WireMessage().Number(1, 1).Message(2, shape);
  return WireMessage().Bytes(1, name).Message(2, WireMessage().Message(1, tensor));
}

// Keras's layer normalization of x [n, length, 4], of opset 11: the means and deviations of rows.
OnnxGraph Normalization() {
  return {
      .nodes = {OnnxNode("Reshape", {"x", "rows"}, {"r"}), OnnxNode("Shape", {"x"}, {"shape"}),
                OnnxNode("Slice", {"shape", "zero", "two", "zero"}, {"leading"}),
                OnnxNode("ReduceProd", {"leading"}, {"count"}, {OnnxInts("axes", {0})}),
                OnnxNode("Expand", {"number_one", "count"}, {"ones"}),
                OnnxNode("Expand", {"number_zero", "count"}, {"zeros"}),
                OnnxNode("ReduceMean", {"r"}, {"means"}, {OnnxInts("axes", {0, 2, 3})}),
                OnnxNode("Squeeze", {"means"}, {"mean"}, {OnnxInts("axes", {0, 2, 3})}),
                OnnxNode("Sub", {"r", "means"}, {"difference"}),
                OnnxNode("ReduceSumSquare", {"difference"}, {"sum"},
                         {OnnxInts("axes", {0, 2, 3}), OnnxInt("keepdims", 0)}),
                OnnxNode("Shape", {"r"}, {"row_shape"}),
                OnnxNode("Gather", {"row_shape", "others"}, {"sizes"}),
                OnnxNode("ReduceProd", {"sizes"}, {"size"},
                         {OnnxInts("axes", {0}), OnnxInt("keepdims", 0)}),
                OnnxNode("Cast", {"size"}, {"elements"}, {OnnxInt("to", 1)}),
                OnnxNode("Div", {"sum", "elements"}, {"variance"}),
                OnnxNode("BatchNormalization", {"r", "ones", "zeros", "mean", "variance"}, {"b"}),
                OnnxNode("Reshape", {"b", "shape"}, {"y"})},
      .initializers = {OnnxNumbers("rows", {1, -1, 4, 1}), OnnxNumbers("zero", {0}),
                       OnnxNumbers("two", {2}), OnnxNumbers("others", {0, 2, 3}),
                       OnnxTensor("number_one", {}, {1.0F}), OnnxTensor("number_zero", {}, {0.0F})},
      .inputs = {Named("x", {"unk__1", "unk__2", "4"})},
      .outputs = {Named("y", {"unk__3", "unk__4", "4"})}};
}

TEST_F(WrittenOutLayersTest, ANormalizationOfRowsIsThatOfALayer) {
  const auto bundle = Import(OnnxModel(Normalization(), 11));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), Contains("LayerNormalization").Times(1));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, x/1, 4]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, x/1, 4]");
}

TEST_F(WrittenOutLayersTest, ANormalizationOfVectorsKeepsTheBatch) {
  OnnxGraph graph = Normalization();
  graph.inputs = {Named("x", {"unk__1", "4"})};
  graph.outputs = {Named("y", {"unk__2", "4"})};
  graph.nodes[2] = OnnxNode("Slice", {"shape", "zero", "one", "zero"}, {"leading"});
  graph.initializers.push_back(OnnxNumbers("one", {1}));
  const auto bundle = Import(OnnxModel(graph, 11));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("LayerNormalization"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, 4]");
}

TEST_F(WrittenOutLayersTest, ANormalizationByOtherNumbersStays) {
  for (const std::string changed : {"number_one", "number_zero", "others"}) {
    OnnxGraph graph = Normalization();
    graph.initializers.pop_back();
    graph.initializers.pop_back();
    graph.initializers.pop_back();
    graph.initializers.push_back(OnnxNumbers("others", changed == "others"
                                                           ? std::vector<std::int64_t>{0, 1, 3}
                                                           : std::vector<std::int64_t>{0, 2, 3}));
    graph.initializers.push_back(
        OnnxTensor("number_one", {}, {changed == "number_one" ? 2.0F : 1.0F}));
    graph.initializers.push_back(
        OnnxTensor("number_zero", {}, {changed == "number_zero" ? 2.0F : 0.0F}));
    const auto bundle = Import(OnnxModel(graph, 11));
    EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented) << changed;
  }
}

// x [n, length, 2], backwards, as tf2onnx writes TensorFlow's ReverseV2.
OnnxGraph Reversal() {
  return {.nodes = {OnnxNode("Shape", {"x"}, {"shape"}),
                    OnnxNode("Gather", {"shape", "one"}, {"length"}),
                    OnnxNode("Gather", {"shape", "zero"}, {"batch"}),
                    OnnxNode("Expand", {"length", "batch"}, {"lengths"}),
                    OnnxNode("ReverseSequence", {"x", "lengths"}, {"y"},
                             {OnnxInt("batch_axis", 0), OnnxInt("time_axis", 1)})},
          .initializers = {OnnxNumbers("zero", {0}), OnnxNumbers("one", {1})},
          .inputs = {Named("x", {"unk__1", "unk__2", "2"})},
          .outputs = {Named("y", {"unk__3", "unk__4", "2"})}};
}

TEST_F(WrittenOutLayersTest, AReversalOfAllStepsIsASlice) {
  OnnxGraph graph = Reversal();
  auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Slice"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, x/1, 2]");
  graph.inputs = {Named("x", {"unk__1", "5", "2"})};
  bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Slice"));
}

TEST_F(WrittenOutLayersTest, AReversalOfOtherLengthsIsRefused) {
  OnnxGraph graph = Reversal();
  graph.inputs.push_back(Named("other", {"unk__5", "unk__6"}));
  graph.nodes[0] = OnnxNode("Shape", {"other"}, {"shape"});
  auto bundle = Import(graph);
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  graph = Reversal();
  graph.inputs = {Named("x", {"unk__1", "5", "2"})};
  graph.initializers.push_back(OnnxNumbers("four", {4}));
  graph.nodes[3] = OnnxNode("Expand", {"four", "batch"}, {"lengths"});
  bundle = Import(graph);
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(bundle.status().message()), HasSubstr("only whole ones are reversed"));
  graph.nodes[4] = OnnxNode("ReverseSequence", {"x", "lengths"}, {"y"},
                            {OnnxInt("batch_axis", 1), OnnxInt("time_axis", 1)});
  bundle = Import(graph);
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
}

// --- What tf2onnx calls open dimensions.

OnnxGraph TwoInputs(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return {.nodes = {OnnxNode("Add", {"a", "b"}, {"y"})},
          .initializers = {},
          .inputs = {Named("a", a), Named("b", b)},
          .outputs = {Named("y", a)}};
}

TEST_F(WrittenOutLayersTest, NamesThatOnlyCountAreNone) {
  auto bundle = Import(TwoInputs({"unk__1", "3"}, {"unk__2", "3"}));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  bundle = Import(TwoInputs({"unk__1", "3"}, {"unk__a", "3"}));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  bundle = Import(TwoInputs({"unk__", "3"}, {"unk__a", "3"}));
  EXPECT_THAT(std::string(bundle.status().message()), HasSubstr("have different names"));
}

TEST_F(WrittenOutLayersTest, LengthsWithoutNamesAreOneWhereTheyMustBe) {
  auto bundle = Import(TwoInputs({"unk__1", "unk__2", "3"}, {"unk__3", "unk__4", "3"}));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[1]), "[rows, a/1, 3]");
  bundle = Import(TwoInputs({"unk__1", "long", "3"}, {"unk__3", "unk__4", "3"}));
  EXPECT_FALSE(bundle.ok());
  OnnxGraph graph = TwoInputs({"unk__1", "unk__2", "3"}, {"unk__3", "unk__4", "3"});
  graph.nodes = {OnnxNode("Relu", {"a"}, {"y"}), OnnxNode("Relu", {"b"}, {"z"})};
  graph.outputs.push_back(Named("z", {"unk__3", "unk__4", "3"}));
  bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[1]), "[rows, b/1, 3]");
}

TEST_F(WrittenOutLayersTest, LoopsAreRefusedWithAWayAround) {
  const auto bundle = Import({.nodes = {OnnxNode("Loop", {"x"}, {"y"})},
                              .initializers = {},
                              .inputs = {Named("x", {"unk__1", "3"})},
                              .outputs = {Named("y", {"unk__1", "3"})}});
  EXPECT_THAT(std::string(bundle.status().message()),
              ::testing::AllOf(HasSubstr("Loop (control flow) x 1 (\"Loop_y\")"),
                               HasSubstr("unroll=True")));
}

}  // namespace
}  // namespace octet::onnx
