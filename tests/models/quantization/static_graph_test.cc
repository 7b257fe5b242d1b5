// SPDX-License-Identifier: Apache-2.0
#include "models/quantization/static_graph.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "kernels/kernel_set.h"
#include "models/graph/passes/fold_batch_normalization.h"
#include "models/graph/passes/fuse_activation.h"
#include "models/graph/verify.h"
#include "models/operators/operators.h"
#include "models/quantization/split_activations.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

Graph Prepared() {
  Graph graph = testing::SmallNetwork().graph;
  FoldBatchNormalization(graph);
  FuseClip(graph);
  SplitOtherActivations(graph);
  return graph;
}

absl::StatusOr<CalibrationTable> Ranges(const Graph& graph) {
  std::vector<Tensor> samples;
  samples.push_back(testing::SmallImages(64));
  return Calibrate(graph, BuiltInOperators(), *kernels::FindKernelSet("reference"),
                   ValuesToCalibrate(graph), samples, "min-max");
}

TEST(StaticGraphTest, QuantizationCoversTheRangeAndZeroIsExact) {
  for (const Range range :
       {Range{-1.0F, 1.0F}, Range{0.0F, 6.0F}, Range{-3.0F, 0.0F}, Range{-0.001F, 100.0F}}) {
    const TensorQuantization q = QuantizationFor(range);
    const auto real = [&](int value) {
      return q.scale.value * static_cast<float>(value - q.zero_point.value);
    };
    EXPECT_GE(q.zero_point.value, -128);
    EXPECT_LE(q.zero_point.value, 127);
    EXPECT_LE(std::abs(real(-128) - range.min), q.scale.value);
    EXPECT_LE(std::abs(real(127) - range.max), q.scale.value);
  }
  EXPECT_EQ(QuantizationFor({0.0F, 6.0F}).zero_point.value, -128);
  EXPECT_EQ(QuantizationFor({-3.0F, 0.0F}).zero_point.value, 127);
  EXPECT_EQ(QuantizationFor({0.0F, 0.0F}).scale.value, 1.0F);
}

TEST(StaticGraphTest, NoFloatOperatorStandsBetweenQuantizedLayers) {
  const Graph graph = Prepared();
  const auto ranges = Ranges(graph);
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  const auto quantized = MakeStaticGraph(graph, *ranges);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  ASSERT_TRUE(VerifyGraph(*quantized, BuiltInOperators()).ok())
      << VerifyGraph(*quantized, BuiltInOperators());
  std::multiset<std::string> operators;
  for (const Node& node : quantized->nodes) {
    operators.insert(node.op);
    const bool is_edge = node.op == "Quantize" || node.op == "Dequantize";
    for (const ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      const Value& value = quantized->values[static_cast<std::size_t>(id)];
      if (value.constant.has_value() || is_edge) continue;
      EXPECT_EQ(value.type.data_type, DataType::kInt8) << node.name << " reads " << value.name;
    }
  }
  // One Quantize at the input; the head gives float32 itself.
  EXPECT_EQ(operators.count("Quantize"), 1U);
  EXPECT_EQ(operators.count("Dequantize"), 0U);
  EXPECT_EQ(operators.count("FullyConnected"), 1U);
  EXPECT_EQ(quantized->values[static_cast<std::size_t>(quantized->inputs[0])].name, "image");
  EXPECT_EQ(quantized->values[static_cast<std::size_t>(quantized->outputs[0])].name,
            "probabilities");
}

TEST(StaticGraphTest, BiasesAreIntegersInUnitsOfTheProducts) {
  const Graph graph = Prepared();
  const auto ranges = Ranges(graph);
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  const auto quantized = MakeStaticGraph(graph, *ranges);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  const auto head = std::find_if(quantized->nodes.begin(), quantized->nodes.end(),
                                 [](const Node& node) { return node.name == "head"; });
  ASSERT_NE(head, quantized->nodes.end());
  const float x_scale =
      quantized->values[static_cast<std::size_t>(head->inputs[0])].type.quantization->scale.value;
  const auto scale = testing::ConstantOf(*quantized, head->inputs[2]).as<float>();
  const auto bias = testing::ConstantOf(*quantized, head->inputs[4]).as<std::int32_t>();
  const Node& source = graph.nodes.back();
  const auto real = testing::ConstantOf(graph, source.inputs[4]).as<float>();
  ASSERT_EQ(bias.size(), real.size());
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const float unit = x_scale * scale[i];
    EXPECT_NEAR(static_cast<float>(bias[i]) * unit, real[i], unit * 0.51F);
  }
}

TEST(StaticGraphTest, AValueWithoutARangeIsNamed) {
  const absl::Status status = MakeStaticGraph(Prepared(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("\"image\""), absl::string_view::npos);
}

// A float-only operator in the middle is met by a Dequantize and a Quantize.
TEST(StaticGraphTest, FloatOperatorsAreSurrounded) {
  testing::NetworkBuilder net(5);
  const Dim rows(kRows);
  const ValueId x = net.Activation("x", {rows, 6});
  const ValueId w1 = net.Weight("w1", {6, 6}, 0.3F);
  const ValueId w2 = net.Weight("w2", {6, 3}, 0.3F);
  const ValueId h = net.Activation("h", {rows, 6});
  const ValueId n = net.Activation("n", {rows, 6});
  const ValueId y = net.Activation("y", {rows, 3});
  net.AddNode("one", "FullyConnected", {x, w1}, h);
  net.AddNode("norm", "LayerNormalization", {h}, n);
  net.AddNode("two", "FullyConnected", {n, w2}, y);
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  const CalibrationTable ranges = {{"x", {-1, 1}}, {"h", {-2, 2}}, {"n", {-3, 3}}, {"y", {-4, 4}}};
  const auto quantized = MakeStaticGraph(net.graph, ranges);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  ASSERT_TRUE(VerifyGraph(*quantized, BuiltInOperators()).ok())
      << VerifyGraph(*quantized, BuiltInOperators());
  std::vector<std::string> operators;
  for (const Node& node : quantized->nodes) operators.push_back(node.op);
  EXPECT_EQ(operators, (std::vector<std::string>{"Quantize", "FullyConnected", "LayerNormalization",
                                                 "Quantize", "FullyConnected"}));
}

// However far the layer is that wants what a layer makes.
TEST(StaticGraphTest, IntegersPassThroughAChainOfAnyLength) {
  constexpr int kLength = 100000;
  testing::NetworkBuilder net(5);
  const Dim rows(kRows);
  const ValueId x = net.Activation("x", {rows, 6});
  const ValueId weight = net.Weight("weight", {6, 6}, 0.3F);
  ValueId last = net.Activation("h", {rows, 6});
  net.AddNode("first", "FullyConnected", {x, weight}, last);
  for (int i = 0; i < kLength; ++i) {
    const std::string name = "pass" + std::to_string(i);
    const ValueId next = net.Activation(name, {rows, 6});
    net.AddNode(name, "Identity", {last}, next);
    last = next;
  }
  const ValueId y = net.Activation("y", {rows, 6});
  net.AddNode("last", "FullyConnected", {last, weight}, y);
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  const auto quantized = MakeStaticGraph(net.graph, {{"x", {-1, 1}}, {"h", {-2, 2}}});
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  ASSERT_TRUE(VerifyGraph(*quantized, BuiltInOperators()).ok());
  EXPECT_EQ(quantized->nodes.size(), kLength + 3U) << "a Quantize at the input, and no other";
}

TEST(StaticGraphTest, NewNamesAreNotThoseOfTheModel) {
  testing::NetworkBuilder net(5);
  const Dim rows(kRows);
  const ValueId x = net.Activation("x", {rows, 6});
  const ValueId weight = net.Weight("x/quantized", {6, 6}, 0.3F);
  const ValueId y = net.Activation("x/int8", {rows, 6});
  net.AddNode("x/Quantize", "FullyConnected", {x, weight}, y);
  net.graph.inputs = {x};
  net.graph.outputs = {y};
  const auto quantized = MakeStaticGraph(net.graph, {{"x", {-1, 1}}});
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_TRUE(VerifyGraph(*quantized, BuiltInOperators()).ok())
      << VerifyGraph(*quantized, BuiltInOperators());
  EXPECT_EQ(quantized->nodes.back().name, "x/Quantize");
  EXPECT_EQ(quantized->values[static_cast<std::size_t>(quantized->outputs[0])].name, "x/int8");
}

}  // namespace
}  // namespace octet
