// SPDX-License-Identifier: Apache-2.0
// What quantized ONNX models become, and what is said of those that are none.

#include <cstdint>
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
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::octet::testing::WireMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// TensorProto.DataType.
constexpr std::uint64_t kUint8 = 2, kInt8 = 3, kInt32 = 6;

WireMessage Raw(const std::string& name, std::uint64_t type, const std::vector<std::int64_t>& dims,
                const std::string& bytes) {
  WireMessage tensor;
  for (const std::int64_t dim : dims) tensor.Number(1, static_cast<std::uint64_t>(dim));
  return tensor.Number(2, type).Bytes(8, name).Bytes(9, bytes);
}

class QuantizedModelsTest : public ::octet::testing::OnnxImportTest {};

// x, quantized, through two convolutions with a pool between them, and real again.
OnnxGraph TwoConvolutions() {
  return {.nodes = {OnnxNode("QuantizeLinear", {"x", "s", "z"}, {"q"}),
                    OnnxNode("QLinearConv", {"q", "s", "z", "w", "ws", "wz", "s", "z", "b"}, {"a"}),
                    OnnxNode("MaxPool", {"a"}, {"p"}, {OnnxInts("kernel_shape", {2, 2})}),
                    OnnxNode("QLinearConv", {"p", "s", "z", "w", "ws", "wz", "s", "z"}, {"c"}),
                    OnnxNode("DequantizeLinear", {"c", "s", "z"}, {"y"})},
          .initializers = {OnnxTensor("s", {}, {0.5F}), Raw("z", kUint8, {}, "\x80"),
                           Raw("w", kInt8, {2, 2, 1, 1}, "\x01\x02\x03\x04"),
                           OnnxTensor("ws", {2}, {0.25F, 0.125F}),
                           Raw("wz", kInt8, {2}, std::string(2, '\0')),
                           Raw("b", kInt32, {2}, std::string(8, '\x01'))},
          .inputs = {OnnxValue("x", {0, 2, 4, 4})},
          .outputs = {OnnxValue("y", {0, 2, 3, 3})}};
}

TEST_F(QuantizedModelsTest, ThereIsNothingButIntegersBetweenConvolutions) {
  const auto bundle = Import(TwoConvolutions());
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Quantize", "Transpose", "Conv2d", "MaxPool2d", "Conv2d",
                                        "Dequantize", "Transpose"));
  EXPECT_EQ(bundle->precision, "int8-static");
  ASSERT_EQ(bundle->layers.size(), 2U);
  EXPECT_EQ(bundle->layers[0].mode, "int8_static");
  std::vector<std::string> names;
  for (const LayerVariable& variable : bundle->layers[0].variables) names.push_back(variable.name);
  EXPECT_THAT(names, ElementsAre("kernel", "bias", "kernel_scale"));
}

TEST_F(QuantizedModelsTest, AScaleForAllRowsIsNoneForEachOfThem) {
  OnnxGraph graph = {.nodes = {OnnxNode("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}),
                               OnnxNode("MatMulInteger", {"q", "w", "z"}, {"y"})},
                     .initializers = {Raw("w", kInt8, {2, 2}, "\x01\x02\x03\x04")},
                     .inputs = {OnnxValue("x", {0, 2})},
                     .outputs = {OnnxValue("y", {0, 2})}};
  const auto open = Import(graph);
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_THAT(Ops(*open), ElementsAre("DynamicQuantize", "IntegerMatMul"));
  EXPECT_EQ(open->precision, "int8-dynamic");
  const auto rank = [](const Bundle& bundle) {
    return bundle.graph.values[static_cast<std::size_t>(bundle.graph.inputs[0])].type.shape.size();
  };
  EXPECT_EQ(rank(*open), 2U);
  // The file says that three rows share it: they are one row here.
  graph.inputs = {OnnxValue("x", {3, 2})};
  const auto written = Import(graph);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(rank(*written), 3U);
}

TEST_F(QuantizedModelsTest, WhatDoesNotFitIsAnError) {
  const auto message = [this](const OnnxGraph& graph) {
    return std::string(Import(graph).status().message());
  };
  OnnxGraph graph = TwoConvolutions();
  graph.initializers[0] = OnnxTensor("s", {}, {-0.5F});
  EXPECT_THAT(message(graph), HasSubstr("a scale of -0.5"));
  graph = TwoConvolutions();
  graph.initializers[3] = OnnxTensor("ws", {3}, {1, 1, 1});
  EXPECT_THAT(message(graph), HasSubstr("the weights' scale is [3], wants [2]"));
  graph = TwoConvolutions();
  graph.initializers[4] = Raw("wz", kUint8, {2}, std::string(2, '\0'));
  EXPECT_THAT(message(graph), HasSubstr("the weights' zero point is UINT8[2], wants INT8[2]"));
  graph = TwoConvolutions();
  graph.initializers[5] = Raw("b", kInt8, {2}, "\x01\x01");
  EXPECT_THAT(message(graph), HasSubstr("its bias is INT8[2], wants INT32[2]"));
  graph = TwoConvolutions();
  graph.nodes[1] = OnnxNode("QLinearConv", {"q", "s", "z", "w", "ws", "wz"}, {"a"});
  EXPECT_THAT(message(graph), HasSubstr("input 6 is absent"));
}

// A product with a constant matrix, real again, and a bias that is added to it.
TEST_F(QuantizedModelsTest, AProductThatIsRealAgainIsALayer) {
  const auto microsoft = [](WireMessage node) { return node.Bytes(7, "com.microsoft"); };
  OnnxGraph graph = {
      .nodes = {OnnxNode("QuantizeLinear", {"x", "s", "z"}, {"q"}),
                microsoft(
                    OnnxNode("MatMulIntegerToFloat", {"q", "w", "s", "ws", "z", "", "b"}, {"p"})),
                OnnxNode("Add", {"p", "b"}, {"y"})},
      .initializers = {OnnxTensor("s", {}, {0.5F}), Raw("z", kUint8, {}, "\x80"),
                       Raw("w", kInt8, {2, 2}, "\x01\x02\x03\x04"),
                       OnnxTensor("ws", {2}, {0.25F, 0.125F}), OnnxTensor("b", {2}, {1, 2})},
      .inputs = {OnnxValue("x", {0, 2})},
      .outputs = {OnnxValue("y", {0, 2})}};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  // Neither bias is the layer's, whose sums are integers.
  EXPECT_THAT(Ops(*bundle), ElementsAre("Quantize", "FullyConnected", "Add", "Add"));
  EXPECT_EQ(bundle->layers[0].mode, "int8_static");
  // A zero point that a request brings is none of a layer's type.
  graph.nodes.insert(graph.nodes.begin(),
                     OnnxNode("DynamicQuantizeLinear", {"x"}, {"dq", "ds", "dz"}));
  graph.nodes[2] =
      microsoft(OnnxNode("MatMulIntegerToFloat", {"dq", "w", "ds", "ws", "dz", "", "b"}, {"p"}));
  graph.nodes.erase(graph.nodes.begin() + 1);
  const auto dynamic = Import(graph);
  ASSERT_TRUE(dynamic.ok()) << dynamic.status();
  EXPECT_THAT(Ops(*dynamic), ::testing::Contains("IntegerMatMul"));
}

TEST_F(QuantizedModelsTest, AnLstmThatQuantizesItsStateIsRefusedWithAWayOut) {
  const WireMessage lstm = OnnxNode("DynamicQuantizeLSTM", {"x", "w"}, {"y"});
  OnnxGraph graph = {.nodes = {WireMessage(lstm).Bytes(7, "com.microsoft")},
                     .initializers = {OnnxTensor("w", {1}, {1})},
                     .inputs = {OnnxValue("x", {0, 2})},
                     .outputs = {OnnxValue("y", {0, 2})}};
  EXPECT_THAT(std::string(Import(graph).status().message()), HasSubstr("op_types_to_quantize"));
}

TEST_F(QuantizedModelsTest, ABiasBeyondInt32ServesAChannelThatIsIdle) {
  OnnxGraph graph = TwoConvolutions();
  // -2^31 for the first channel, 0 for the second.
  graph.initializers[5] = Raw("b", kInt32, {2}, std::string("\0\0\0\x80\0\0\0\0", 8));
  graph.initializers[3] = OnnxTensor("ws", {2}, {1e-14F, 0.125F});
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  const auto biases = bundle->layers[0].variables[1].tensor.as<std::int32_t>();
  EXPECT_GT(biases[0], -2147483647);
  EXPECT_EQ(biases[1], 0);
}

}  // namespace
}  // namespace octet::onnx
