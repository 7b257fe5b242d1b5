// SPDX-License-Identifier: Apache-2.0
#include "client/cli/graph_report.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/operators/operators.h"

namespace octet::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x [rows, 2] -> int8 dense -> Relu -> float dense [rows, 2].
Graph TwoLayers() {
  Graph graph;
  const TensorType rows{DataType::kFloat32, {Dim(kRows), 2}, std::nullopt};
  const ValueId x = graph.AddValue("x", rows);
  const ValueId weight = graph.AddConstant(
      "weight",
      ConstantTensor::Copy(DataType::kInt8, {2, 2}, std::vector<std::int8_t>{1, 2, 3, 4}));
  const ValueId scale = graph.AddConstant(
      "scale", ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{1, 1}));
  const ValueId kernel = graph.AddConstant(
      "kernel", ConstantTensor::Copy(DataType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 4}));
  const ValueId hidden = graph.AddValue("hidden", rows);
  const ValueId positive = graph.AddValue("positive", rows);
  const ValueId out = graph.AddValue("out", rows);
  graph.nodes = {{"first",
                  "FullyConnected",
                  {x, weight, scale},
                  {hidden},
                  {{"activation_quantization", "dynamic"}}},
                 {"relu", "Activation", {hidden}, {positive}, {{"function", "relu"}}},
                 {"second", "FullyConnected", {positive, kernel}, {out}, {}}};
  graph.inputs = {x};
  graph.outputs = {out};
  return graph;
}

GraphReport Report(Graph graph) {
  auto report = MakeGraphReport(std::move(graph), BuiltInOperators());
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *std::move(report) : GraphReport();
}

TEST(GraphReportTest, TellsWhichProductsAreInteger) {
  const GraphReport report = Report(TwoLayers());
  EXPECT_EQ(ProductsText(report, "first"), "4 integer");
  EXPECT_EQ(ProductsText(report, "second"), "4 float");
  EXPECT_EQ(ProductsText(report, "relu"), "");
  EXPECT_EQ(ProductsText(report, "no such node"), "");
  EXPECT_EQ(ShareText(report), "8 multiply-accumulates a row, 50.0 % of them in integers");
  EXPECT_EQ(ShareJson(report).dump(), R"({"all":8.0,"integer":4.0,"integer_percent":50.0})");
}

TEST(GraphReportTest, OpenDimensionsAreSaid) {
  Graph graph = TwoLayers();
  graph.symbol_names = {"rows", "length"};
  EXPECT_THAT(ShareText(Report(graph)), HasSubstr("(open dimensions of 128)"));
  EXPECT_EQ(ShareJson(Report(graph))["open_dimensions"], 128);
}

TEST(GraphReportTest, WithoutProductsThereIsNoShare) {
  Graph graph = TwoLayers();
  graph.nodes = {graph.nodes[1]};
  graph.inputs = graph.nodes[0].inputs;
  graph.outputs = graph.nodes[0].outputs;
  EXPECT_EQ(ShareText(Report(graph)), "");
  EXPECT_EQ(ShareJson(Report(graph))["integer_percent"], 0);
}

TEST(GraphReportTest, ShowsBothGraphsAndWhatThePassesDid) {
  const GraphReport report = Report(TwoLayers());
  const std::string text = GraphsText(report);
  EXPECT_THAT(text, HasSubstr("graph in the bundle: 3 nodes\n"));
  EXPECT_THAT(text, HasSubstr("fuse_activation: 3 nodes become 2\n"));
  EXPECT_THAT(text, HasSubstr("graph that is run: 2 nodes\n"));
  EXPECT_THAT(text, HasSubstr("positive FP32[rows, 2]"));
  const auto json = GraphsJson(report);
  EXPECT_EQ(json["stored"].size(), 3U);
  EXPECT_EQ(json["run"].size(), 2U);
  EXPECT_EQ(json["stored"][1]["operator"], "Activation");
  EXPECT_THAT(json["stored"][2]["inputs"].get<std::vector<std::string>>(), ElementsAre("positive"));
  EXPECT_EQ(json["passes"][0]["name"], "fuse_activation");
  EXPECT_EQ(json["passes"][0]["nodes_before"], 3);
  EXPECT_EQ(json["passes"][0]["nodes_after"], 2);
}

}  // namespace
}  // namespace octet::cli
