// SPDX-License-Identifier: Apache-2.0
#include "models/importers/torch/torch_importer.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "models/bundle/safetensors.h"
#include "models/operators/operators.h"
#include "tests/support/onnx_writer.h"

namespace octet::torch {
namespace {

using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxInt;
using ::octet::testing::OnnxInts;
using ::octet::testing::OnnxModel;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::octet::testing::WireMessage;
using ::testing::HasSubstr;

// Weights "w", int8 [4, 2] with a scale for each of the rows, beside graphs that take it.
class TorchImporterTest : public ::testing::Test {
 protected:
  TorchImporterTest() : operators_(BuiltInOperators()) {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  ~TorchImporterTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  absl::StatusOr<Bundle> Import(const std::vector<WireMessage>& nodes,
                                std::vector<std::int64_t> weight_dims = {4, 2}) const {
    const std::vector<std::int8_t> integers = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<float> scale = {1.0F, 2.0F, 3.0F, 4.0F};
    const auto file = WriteSafetensors(
        {{"w.int_data", {DataType::kInt8, {4, 2}, std::as_bytes(std::span(integers))}},
         {"w.scale", {DataType::kFloat32, {4, 1}, std::as_bytes(std::span(scale))}}});
    EXPECT_TRUE(file.ok()) << file.status();
    Write("w.safetensors", *file);
    const OnnxGraph graph = {
        .nodes = nodes,
        .initializers = {OnnxTensor("w", weight_dims, std::vector<float>(8, 0.0F)),
                         OnnxNumbers("first", {0}), OnnxNumbers("second", {2}),
                         OnnxNumbers("axis", {0}), OnnxNumbers("shape", {2, 4}),
                         OnnxNumbers("last", {4}), OnnxNumbers("back", {-1}),
                         OnnxNumbers("cube", {2, 2, 2}), OnnxNumbers("matrix", {4, 2}),
                         OnnxNumbers("rows", {3, 0}), OnnxNumbers("twice", {2, 1})},
        .inputs = {OnnxValue("x", {0, 2})},
        .outputs = {OnnxValue("y", {0, 4})}};
    Write("graph.onnx", OnnxModel(graph));
    return TorchImporter().Import(folder_ / "w.safetensors",
                                  {.operators = &operators_, .graph = folder_ / "graph.onnx"});
  }
  static std::vector<float> Scale(const Bundle& bundle) {
    for (const LayerVariable& variable : bundle.layers.at(0).variables) {
      if (variable.name != "kernel_scale") continue;
      const auto values = variable.tensor.as<float>();
      return {values.begin(), values.end()};
    }
    return {};
  }

  std::filesystem::path folder_;
  OperatorRegistry operators_;
};

TEST_F(TorchImporterTest, ATransposedWeightHasAScaleForEachColumn) {
  const auto bundle =
      Import({OnnxNode("Transpose", {"w"}, {"t"}), OnnxNode("MatMul", {"x", "t"}, {"y"})});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  ASSERT_EQ(bundle->layers.size(), 1U);
  EXPECT_EQ(bundle->layers[0].mode, "int8");
  EXPECT_EQ(bundle->precision, "int8-weight-only");
  EXPECT_EQ(bundle->source.framework, "pytorch");
  EXPECT_THAT(Scale(*bundle), ::testing::ElementsAre(1, 2, 3, 4));
}

TEST_F(TorchImporterTest, APartOfAWeightHasItsScales) {
  const auto bundle = Import({OnnxNode("Slice", {"w", "first", "second", "axis"}, {"part"}),
                              OnnxNode("Gemm", {"x", "part"}, {"y"}, {OnnxInt("transB", 1)})});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Scale(*bundle), ::testing::ElementsAre(1, 2));
}

TEST_F(TorchImporterTest, AViewThatMixesScalesIsNoFactor) {
  const auto bundle = Import(
      {OnnxNode("Reshape", {"w", "shape"}, {"view"}), OnnxNode("MatMul", {"x", "view"}, {"y"})});
  EXPECT_TRUE(absl::IsUnimplemented(bundle.status())) << bundle.status();
  EXPECT_THAT(bundle.status().message(), HasSubstr("axis that the product sums up"));
}

// Whatever rearranges a weight before it is multiplied with, its scales are those of the rows that
// the product sees.
TEST_F(TorchImporterTest, ViewsBringScalesAndAxisAlong) {
  const WireMessage gemm = OnnxNode("Gemm", {"x", "v"}, {"y"}, {OnnxInt("transB", 1)});
  const std::vector<std::pair<std::vector<WireMessage>, std::vector<float>>> cases = {
      {{OnnxNode("Identity", {"w"}, {"v"})}, {1, 2, 3, 4}},
      {{OnnxNode("Unsqueeze", {"w", "axis"}, {"u"}), OnnxNode("Squeeze", {"u", "axis"}, {"v"})},
       {1, 2, 3, 4}},
      {{OnnxNode("Reshape", {"w", "cube"}, {"u"}), OnnxNode("Reshape", {"u", "matrix"}, {"v"})},
       {1, 2, 3, 4}},
      {{OnnxNode("Transpose", {"w"}, {"u"}), OnnxNode("Transpose", {"u"}, {"v"})}, {1, 2, 3, 4}},
      {{OnnxNode("Split", {"w"}, {"u", "v"}, {OnnxInt("axis", 0), OnnxInt("num_outputs", 2)})},
       {3, 4}},
      {{OnnxNode("Slice", {"w", "second", "last", "axis"}, {"v"})}, {3, 4}},
      {{OnnxNode("Slice", {"w", "last", "first", "axis", "back"}, {"v"})}, {4, 3, 2}},
      {{OnnxNode("Gather", {"w", "rows"}, {"v"})}, {4, 1}},
      {{OnnxNode("Expand", {"w", "matrix"}, {"v"})}, {1, 2, 3, 4}},
      {{OnnxNode("Tile", {"w", "twice"}, {"v"})}, {1, 2, 3, 4, 1, 2, 3, 4}},
  };
  for (const auto& [nodes, scale] : cases) {
    std::vector<WireMessage> all = nodes;
    all.push_back(gemm);
    const auto bundle = Import(all);
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    EXPECT_EQ(Scale(*bundle), scale);
    EXPECT_EQ(bundle->precision, "int8-weight-only");
  }
}

TEST_F(TorchImporterTest, OperatorsThatCannotTakeAQuantizedTensorSaySo) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"Relu", {"w"}},        {"Abs", {"w"}},         {"Softmax", {"w"}},
      {"ReduceSum", {"w"}},   {"Add", {"w", "w"}},    {"Mul", {"x", "w"}},
      {"Sub", {"w", "x"}},    {"Concat", {"w", "w"}}, {"Where", {"x", "w", "w"}},
      {"MatMul", {"w", "x"}}, {"Conv", {"x", "w"}},   {"Gather", {"x", "w"}},
      {"Shape", {"w"}},
  };
  for (const auto& [op, inputs] : cases) {
    std::vector<WireMessage> attributes;
    if (op == "Concat") attributes = {OnnxInt("axis", 0)};
    const auto bundle = Import({OnnxNode(op, inputs, {"y"}, attributes)});
    EXPECT_TRUE(absl::IsUnimplemented(bundle.status())) << op << ": " << bundle.status();
    EXPECT_THAT(bundle.status().message(),
                HasSubstr(op + " \"" + op + "_y\": takes \"w\", a quantized tensor"));
  }
}

TEST_F(TorchImporterTest, AnotherShapeIsNamed) {
  const auto bundle = Import({OnnxNode("MatMul", {"x", "w"}, {"y"})}, {2, 4});
  EXPECT_TRUE(absl::IsInvalidArgument(bundle.status()));
  EXPECT_THAT(bundle.status().message(),
              HasSubstr("initializer \"w\" is FP32[2, 4], the weights' FP32[4, 2]"));
}

TEST_F(TorchImporterTest, AGraphIsWanted) {
  Write("none.safetensors", *WriteSafetensors({}));
  const auto bundle =
      TorchImporter().Import(folder_ / "none.safetensors", {.operators = &operators_});
  EXPECT_TRUE(absl::IsInvalidArgument(bundle.status()));
  EXPECT_THAT(bundle.status().message(), HasSubstr("wants --graph"));
}

}  // namespace
}  // namespace octet::torch
