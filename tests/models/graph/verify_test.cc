// SPDX-License-Identifier: Apache-2.0
#include "models/graph/verify.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/tiny_operators.h"

namespace octet {
namespace {

using ::octet::testing::Append;
using ::octet::testing::FloatType;
using ::testing::HasSubstr;

// x [rows, length] -> twice -> cropped, beside a constant.
Graph Good() {
  Graph graph;
  graph.symbol_names = {"rows", "length"};
  const ValueId x = graph.AddValue("x", FloatType({Dim(kRows), Dim(Symbol{1})}));
  const ValueId twice = Append(graph, "Twice", {x}, "twice");
  const ValueId cropped = Append(graph, "Crop", {twice}, "cropped");
  graph.AddConstant("w", ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{1, 2}));
  graph.inputs = {x};
  graph.outputs = {cropped};
  return graph;
}

absl::Status Verify(const Graph& graph) { return VerifyGraph(graph, testing::TinyOperators()); }

TEST(VerifyTest, AGoodGraphPasses) {
  const absl::Status status = Verify(Good());
  EXPECT_TRUE(status.ok()) << status;
}

struct Damage {
  std::string name;
  std::function<void(Graph&)> apply;
  std::string message;  // a part of it
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

// Who needs no batch makes its own rows.
TEST(VerifyTest, AGraphWithoutInputsPasses) {
  Graph graph;
  const ValueId w = graph.AddConstant(
      "w", ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{1, 2}));
  graph.outputs = {Append(graph, "Rows", {w}, "y")};
  EXPECT_TRUE(Verify(graph).ok()) << Verify(graph);
  graph.outputs = {w};
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("no value that a node computes"));
  graph.outputs = {Append(graph, "Twice", {w}, "twice")};
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("rows first"));
}

class VerifyDamageTest : public ::testing::TestWithParam<Damage> {};

TEST_P(VerifyDamageTest, IsRefused) {
  Graph graph = Good();
  GetParam().apply(graph);
  const absl::Status status = Verify(graph);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();

// Values: 0 x, 1 twice, 2 cropped, 3 w.
std::vector<Damage> Damages() {
  const auto quantized = [](float scale, std::int32_t zero_point, DataType type) {
    return [=](Graph& graph) {
      graph.values[0].type.data_type = type;
      graph.values[0].type.quantization =
          TensorQuantization{kernels::Scale{scale}, kernels::ZeroPoint{zero_point}};
    };
  };
  return {
      {"NoSymbols", [](Graph& g) { g.symbol_names.clear(); }, "0 symbols"},
      {"FirstSymbol", [](Graph& g) { g.symbol_names[0] = "n"; }, "\"rows\""},
      {"TooManySymbols", [](Graph& g) { g.symbol_names.resize(65, "s"); }, "65 symbols"},
      {"SymbolWithoutInput", [](Graph& g) { g.symbol_names.emplace_back("height"); },
       "no input has a dimension that is \"height\""},
      {"EmptyValueName", [](Graph& g) { g.values[1].name.clear(); }, "empty or used twice"},
      {"ValueNameTwice", [](Graph& g) { g.values[1].name = "x"; }, "value 1 \"x\""},
      {"NodeNameTwice", [](Graph& g) { g.nodes[1].name = "twice"; }, "empty or used twice"},
      {"UnknownSymbol", [](Graph& g) { g.values[0].type.shape[1] = Dim(Symbol{9}); },
       "out of range"},
      {"NegativeSymbol", [](Graph& g) { g.values[0].type.shape[1] = Dim(Symbol{-1}); },
       "out of range"},
      {"LargeScale",
       [](Graph& g) {
         g.values[0].type.shape[1] = Dim(Symbol{1}).Times(std::int64_t{1} << 40).value();
       },
       "out of range"},
      {"LowestOffset",
       [](Graph& g) { g.values[0].type.shape[1] = Dim(Symbol{1}).Plus(kLowest).value(); },
       "out of range"},
      {"NegativeDim", [](Graph& g) { g.values[0].type.shape[1] = Dim(-1); }, "negative"},
      {"HugeShape",
       [](Graph& g) {
         g.values[0].type.shape = {Dim(kRows), 1 << 30, 1 << 30};
       },
       "2^48"},
      {"Rank", [](Graph& g) { g.values[0].type.shape.resize(9, Dim(1)); }, "9 dimensions"},
      {"ZeroScale", quantized(0, 0, DataType::kInt8), "scale"},
      {"NanScale", quantized(std::numeric_limits<float>::quiet_NaN(), 0, DataType::kInt8), "scale"},
      {"InfiniteScale", quantized(std::numeric_limits<float>::infinity(), 0, DataType::kInt8),
       "scale"},
      {"ZeroPoint", quantized(1, 200, DataType::kInt8), "zero point 200"},
      {"ZeroPointOfInt16", quantized(1, -1, DataType::kInt16), "zero point -1"},
      {"QuantizedInt32", quantized(1, 0, DataType::kInt32), "INT32"},
      {"QuantizedFloat", quantized(1, 0, DataType::kFloat32), "FP32"},
      {"ConstantsType", [](Graph& g) { g.values[3].type.data_type = DataType::kInt32; },
       "constant \"w\""},
      {"ConstantsShape", [](Graph& g) { g.values[3].type.shape = {3}; }, "constant \"w\""},
      {"NoInputs", [](Graph& g) { g.inputs.clear(); },
       "no input has a dimension that is \"length\""},
      {"NoOutputs", [](Graph& g) { g.outputs.clear(); }, "0 outputs"},
      {"InputBeyond", [](Graph& g) { g.inputs[0] = 99; }, "input 99"},
      {"InputTwice", [](Graph& g) { g.inputs.push_back(0); }, "given twice"},
      {"ConstantInput", [](Graph& g) { g.inputs.push_back(3); }, "input 3"},
      {"InputWithoutRows", [](Graph& g) { g.values[0].type.shape[0] = Dim(4); }, "rows first"},
      {"RowsTwice", [](Graph& g) { g.values[0].type.shape.emplace_back(kRows); }, "rows first"},
      {"PackedInput", [](Graph& g) { g.values[0].type.data_type = DataType::kInt4; }, "4-bit",
       absl::StatusCode::kUnimplemented},
      {"OutputBeyond", [](Graph& g) { g.outputs[0] = -1; }, "output -1"},
      {"ConstantOutput", [](Graph& g) { g.outputs[0] = 3; }, "output 3"},
      {"OutputThatNothingMakes", [](Graph& g) { g.outputs[0] = g.AddValue("y", g.values[2].type); },
       "output 4"},
      {"UnknownOperator", [](Graph& g) { g.nodes[0].op = "Sin"; }, "no operator \"Sin\"",
       absl::StatusCode::kUnimplemented},
      {"NodeInputBeyond", [](Graph& g) { g.nodes[0].inputs[0] = 99; }, "value 99"},
      {"NodeInputNegative", [](Graph& g) { g.nodes[0].inputs[0] = -7; }, "value -7"},
      {"NodeWithoutInput", [](Graph& g) { g.nodes[0].inputs[0] = kNoValue; }, "number of inputs"},
      {"ReadBeforeMade", [](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); },
       "which nothing before it makes"},
      {"ReadsItself", [](Graph& g) { g.nodes[0].inputs[0] = 1; }, "nothing before it makes"},
      {"MadeTwice", [](Graph& g) { g.nodes[1].outputs[0] = 1; }, "made twice"},
      {"MakesItsInput", [](Graph& g) { g.nodes[0].outputs[0] = 0; }, "made twice"},
      {"MakesAConstant", [](Graph& g) { g.nodes[0].outputs[0] = 3; }, "made twice"},
      {"NodeOutputBeyond", [](Graph& g) { g.nodes[0].outputs[0] = 4; }, "output value 4"},
      {"TooManyOutputs", [](Graph& g) { g.nodes[1].outputs.push_back(2); }, "got 2 outputs"},
      {"DeclaredType", [](Graph& g) { g.values[1].type.data_type = DataType::kInt32; },
       "declared as INT32[rows, length] and is FP32[rows, length]"},
      {"DeclaredShape", [](Graph& g) { g.values[2].type.shape[1] = Dim(Symbol{1}); },
       "declared as FP32[rows, length] and is FP32[rows, length-1]"},
  };
}

INSTANTIATE_TEST_SUITE_P(Damages, VerifyDamageTest, ::testing::ValuesIn(Damages()),
                         [](const auto& parameter) { return parameter.param.name; });

// In a release build a constant of the wrong size gets as far as the gate.
TEST(VerifyTest, AConstantsBytesMustFitItsType) {
#ifndef NDEBUG
  GTEST_SKIP() << "an assertion ends a debug build before";
#else
  Graph graph = Good();
  static const std::byte bytes[4] = {};
  graph.values[3].constant = ConstantTensor(DataType::kFloat32, {2}, bytes, nullptr);
  EXPECT_THAT(std::string(Verify(graph).message()), HasSubstr("4 bytes, wants 8"));
#endif
}

}  // namespace
}  // namespace octet
