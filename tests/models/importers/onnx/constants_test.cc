// SPDX-License-Identifier: Apache-2.0
// Answers that depend on no input, and what is computed of constants on the way to them.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/runtime/reference_run.h"
#include "tests/support/onnx_import_test.h"

namespace octet {
namespace {

using ::octet::testing::kOnnxFloat;
using ::octet::testing::kOnnxInt64;
using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxInt;
using ::octet::testing::OnnxInts;
using ::octet::testing::OnnxModel;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConstantsTest : public testing::OnnxImportTest {
 protected:
  // As the program does: constants may be run.
  absl::StatusOr<Bundle> ImportRunning(const OnnxGraph& graph) const {
    const std::string model = OnnxModel(graph);
    return onnx::OnnxImporter::ImportBytes(
        std::as_bytes(std::span(model.data(), model.size())),
        {.operators = &operators_,
         .max_byte_size = std::int64_t{1} << 30,
         .run_graph = [this](const Graph& one) { return RunOnReference(one, operators_, {}); }});
  }

  // What a model of these nodes and constants, without inputs, answers as "y".
  template <typename T = float>
  std::vector<T> Answer(const std::vector<testing::WireMessage>& nodes,
                        const std::vector<testing::WireMessage>& constants) {
    const auto bundle = ImportRunning(
        {.nodes = nodes, .initializers = constants, .inputs = {}, .outputs = {OnnxValue("y", {})}});
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    if (!bundle.ok()) return {};
    EXPECT_THAT(Ops(*bundle), ElementsAre("Constant"));
    EXPECT_TRUE(bundle->layers.empty());
    const auto answers = RunOnReference(bundle->graph, operators_, {});
    EXPECT_TRUE(answers.ok()) << answers.status();
    if (!answers.ok()) return {};
    dims_ = (*answers)[0].dims();
    const auto elements = (*answers)[0].as<T>();
    return {elements.begin(), elements.end()};
  }

  std::string Refusal(const std::vector<testing::WireMessage>& nodes,
                      const std::vector<testing::WireMessage>& constants) {
    return std::string(ImportRunning({.nodes = nodes,
                                      .initializers = constants,
                                      .inputs = {},
                                      .outputs = {OnnxValue("y", {})}})
                           .status()
                           .message());
  }

  Dims dims_;  // of the last answer
};

TEST_F(ConstantsTest, AnOutputMayBeAConstant) {
  const auto bundle = Import({.nodes = {OnnxNode("Relu", {"x"}, {"y"})},
                              .initializers = {OnnxTensor("w", {2}, {1, 2})},
                              .inputs = {OnnxValue("x", {3, 4})},
                              .outputs = {OnnxValue("y", {3, 4}), OnnxValue("w", {2})}});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Activation", "Constant"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 3, 4]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[1]), "[rows, 2]");
}

TEST_F(ConstantsTest, AFixedShapeIsAConstantAndItsInputStays) {
  const auto bundle = Import({.nodes = {OnnxNode("Shape", {"x"}, {"y"})},
                              .initializers = {},
                              .inputs = {OnnxValue("x", {3, 4})},
                              .outputs = {OnnxValue("y", {2}, kOnnxInt64)}});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(bundle->graph.inputs.size(), 1U);
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, 3, 4]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 2]");
}

TEST_F(ConstantsTest, AnOpenShapeIsRefused) {
  const auto bundle = Import({.nodes = {OnnxNode("Shape", {"x"}, {"y"})},
                              .initializers = {},
                              .inputs = {OnnxValue("x", {0, 4})},
                              .outputs = {OnnxValue("y", {2}, kOnnxInt64)}});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(bundle.status().message()),
              HasSubstr("output \"y\": depends on open dimensions and on nothing else"));
}

TEST_F(ConstantsTest, AModelMayHaveNoInputs) {
  const auto add = OnnxNode("Add", {"a", "b"}, {"y"});
  EXPECT_THAT(Answer({add}, {OnnxTensor("a", {2}, {1, 2}), OnnxTensor("b", {1}, {10})}),
              ElementsAre(11, 12));
  EXPECT_EQ(dims_, (Dims{1, 2}));
}

TEST_F(ConstantsTest, AnyOperatorIsRunOnConstants) {
  const auto x = OnnxTensor("x", {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(Answer({OnnxNode("ReduceSum", {"x", "axes"}, {"y"}, {OnnxInt("keepdims", 0)})},
                     {x, OnnxNumbers("axes", {0})}),
              ElementsAre(5, 7, 9));
  EXPECT_EQ(dims_, (Dims{1, 3}));
  EXPECT_THAT(
      Answer({OnnxNode("MatMul", {"x", "w"}, {"y"})}, {x, OnnxTensor("w", {3}, {1, 0, -1})}),
      ElementsAre(-2, -2));
  EXPECT_THAT(Answer({OnnxNode("CumSum", {"x", "axis"}, {"y"})}, {x, OnnxNumbers("axis", {1})}),
              ElementsAre(1, 3, 6, 4, 9, 15));
  // Through several nodes, some of which are folded by the importer itself.
  EXPECT_THAT(Answer<std::int64_t>({OnnxNode("ArgMax", {"x"}, {"at"}, {OnnxInt("axis", 1)}),
                                    OnnxNode("Transpose", {"at"}, {"y"})},
                                   {x}),
              ElementsAre(2, 2));
  EXPECT_EQ(dims_, (Dims{1, 1, 2}));
}

TEST_F(ConstantsTest, WhatCannotBeRunIsRefusedInTheOperatorsWords) {
  EXPECT_THAT(Refusal({OnnxNode("Softmax", {"x"}, {"y"}, {OnnxInt("axis", 5)})},
                      {OnnxTensor("x", {2}, {1, 2})}),
              HasSubstr("axis 5 of a tensor of 1 dimensions"));
  // Nothing is run where nobody says how.
  const auto bundle = Import({.nodes = {OnnxNode("Softmax", {"x"}, {"y"})},
                              .initializers = {OnnxTensor("x", {2}, {1, 2})},
                              .inputs = {},
                              .outputs = {OnnxValue("y", {2})}});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ConstantsTest, ASmallFileDoesNotComputeForLong) {
  const std::vector<testing::WireMessage> nodes = {OnnxNode("ConstantOfShape", {"shape"}, {"x"}),
                                                   OnnxNode("MatMul", {"x", "x"}, {"y"})};
  EXPECT_THAT(Refusal(nodes, {OnnxNumbers("shape", {2304, 2304})}),
              HasSubstr("computing constants takes"));
  const std::vector<testing::WireMessage> pools = {
      OnnxNode("ConstantOfShape", {"shape"}, {"x"}),
      OnnxNode("MaxPool", {"x"}, {"y"},
               {OnnxInts("kernel_shape", {1000, 1000}), OnnxInts("pads", {500, 500, 500, 500})})};
  EXPECT_THAT(Refusal(pools, {OnnxNumbers("shape", {1, 1, 1000, 1000})}),
              HasSubstr("computing constants takes"));
}

TEST_F(ConstantsTest, AReductionOfNothingIsWhatItBeginsWith) {
  const auto none = OnnxTensor("x", {2, 0, 2}, {});
  const auto axes = OnnxNumbers("axes", {1});
  const auto reduce = [&](const std::string& op) {
    return Answer({OnnxNode(op, {"x", "axes"}, {"y"})}, {none, axes});
  };
  EXPECT_THAT(reduce("ReduceSum"), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(dims_, (Dims{1, 2, 1, 2}));
  EXPECT_THAT(reduce("ReduceProd"), ElementsAre(1, 1, 1, 1));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(reduce("ReduceMax"), ElementsAre(-infinity, -infinity, -infinity, -infinity));
  EXPECT_THAT(reduce("ReduceMin"), ElementsAre(infinity, infinity, infinity, infinity));
  EXPECT_TRUE(std::isnan(reduce("ReduceMean")[3]));
  EXPECT_THAT(
      Answer({OnnxNode("ReduceSum", {"x", "axes"}, {"y"})}, {none, OnnxNumbers("axes", {0})}),
      ElementsAre());
  EXPECT_EQ(dims_, (Dims{1, 1, 0, 2}));
}

TEST_F(ConstantsTest, NothingIsComputedForAResultWithoutElements) {
  const auto none = OnnxTensor("x", {2, 0, 3}, {});
  EXPECT_THAT(Answer({OnnxNode("Softmax", {"x"}, {"y"}, {OnnxInt("axis", 2)})}, {none}),
              ElementsAre());
  EXPECT_EQ(dims_, (Dims{1, 2, 0, 3}));
  EXPECT_THAT(Answer({OnnxNode("MatMul", {"x", "w"}, {"y"})},
                     {none, OnnxTensor("w", {3, 4}, std::vector<float>(12, 1))}),
              ElementsAre());
  EXPECT_EQ(dims_, (Dims{1, 2, 0, 4}));
  // Of no elements there may still be a sum.
  EXPECT_THAT(Refusal({OnnxNode("MatMul", {"w", "x"}, {"y"})},
                      {OnnxTensor("w", {2, 0}, {}), OnnxTensor("x", {0, 2}, {})}),
              HasSubstr("an empty tensor"));
}

TEST_F(ConstantsTest, WholeNumbersAreReducedExactly) {
  const auto numbers = OnnxNumbers("x", {3, (std::int64_t{1} << 60) + 1, -5});
  EXPECT_THAT(Answer<std::int64_t>({OnnxNode("ReduceMax", {"x"}, {"y"})}, {numbers}),
              ElementsAre((std::int64_t{1} << 60) + 1));
  EXPECT_THAT(Answer<std::int64_t>({OnnxNode("ReduceSum", {"x"}, {"y"})}, {numbers}),
              ElementsAre((std::int64_t{1} << 60) - 1));
  const auto shape = OnnxNumbers("shape", {3, 1});
  EXPECT_THAT(Answer<std::int64_t>({OnnxNode("Reshape", {"x", "shape"}, {"column"}),
                                    OnnxNode("ReduceMin", {"column"}, {"y"},
                                             {OnnxInts("axes", {1}), OnnxInt("keepdims", 0)})},
                                   {numbers, shape}),
              ElementsAre(3, (std::int64_t{1} << 60) + 1, -5));
}

TEST_F(ConstantsTest, DropoutDropsNothingWhereItsRatioIs0) {
  const auto model = [](float ratio) {
    return OnnxGraph{.nodes = {OnnxNode("Equal", {"one", "one"}, {"training"}),
                               OnnxNode("Dropout", {"x", "ratio", "training"}, {"y"})},
                     .initializers = {OnnxNumbers("one", {1}), OnnxTensor("ratio", {}, {ratio})},
                     .inputs = {OnnxValue("x", {0, 4})},
                     .outputs = {OnnxValue("y", {0, 4})}};
  };
  const auto kept = Import(model(0));
  EXPECT_TRUE(kept.ok()) << kept.status();
  EXPECT_THAT(std::string(Import(model(0.5F)).status().message()), HasSubstr("training mode"));
  // Not of a constant either.
  EXPECT_THAT(Refusal({OnnxNode("Equal", {"one", "one"}, {"training"}),
                       OnnxNode("Dropout", {"x", "ratio", "training"}, {"y"})},
                      {OnnxNumbers("one", {1}), OnnxTensor("ratio", {}, {0.5F}),
                       OnnxTensor("x", {2}, {1, 2})}),
              HasSubstr("training mode"));
}

}  // namespace
}  // namespace octet
