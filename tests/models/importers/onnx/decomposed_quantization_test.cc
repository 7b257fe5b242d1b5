// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/decomposed_quantization.h"

#include <cmath>
#include <cstdint>
#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "models/importers/onnx/tensor_data.h"
#include "models/operators/operators.h"
#include "tests/support/onnx_protos.h"

namespace octet::onnx {
namespace {

using ::octet::testing::NodeTexts;
using ::octet::testing::ProtoFloats;
using ::octet::testing::ProtoInt;
using ::octet::testing::ProtoIntegers;
using ::octet::testing::ProtoNode;
using ::testing::ElementsAre;

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7;

// A graph over "x", [n, 3, 4, 4], whose output is "out".
class DecomposedQuantizationTest : public ::testing::Test {
 protected:
  DecomposedQuantizationTest() {
    graph_.initializers = {ProtoFloats("s", {0.3F}),
                           ProtoFloats("r", {1.0F / 0.3F}),
                           ProtoFloats("z", {7}),
                           ProtoFloats("0", {0}),
                           ProtoFloats("255", {255}),
                           ProtoFloats("127", {127}),
                           ProtoFloats("-128", {-128}),
                           ProtoIntegers("z8", kUint8, {}, {7}),
                           ProtoIntegers("w", kInt8, {2, 3, 1, 1}, {1, 2, 3, 4, 5, 6}),
                           ProtoFloats("ws", {0.1F, 0.2F}, {2, 1, 1, 1}),
                           ProtoIntegers("b", kInt32, {2}, {5, 6}),
                           ProtoFloats("real", {0.1F, -0.2F, 38.1F}, {3, 1})};
    ValueInfoProto input;
    input.name = "x";
    input.element_type = kFloat;
    input.is_tensor = true;
    input.shape.emplace(4);
    graph_.inputs = {input};
    ValueInfoProto output;
    output.name = "out";
    graph_.outputs = {output};
  }

  void Add(const std::string& op, std::vector<std::string> inputs, const std::string& output) {
    graph_.nodes.push_back(ProtoNode(op, std::move(inputs), output));
  }
  void Cast(const std::string& input, std::int64_t to, const std::string& output) {
    Add("Cast", {input}, output);
    graph_.nodes.back().attributes = {ProtoInt("to", to)};
  }
  // x as uint8 with `s` and `z`: "q".
  void Quantize() {
    Add("Div", {"x", "s"}, "a");
    Add("Round", {"a"}, "b1");
    Add("Add", {"b1", "z"}, "c");
    Add("Clip", {"c", "0", "255"}, "d");
    Cast("d", kUint8, "q");
  }

  std::vector<std::string> Recomposed() {
    NamedWeights weights;
    ExternalData external;
    for (const TensorProto& tensor : graph_.initializers) {
      weights.emplace(tensor.name, *ToConstant(tensor, external, nullptr));
    }
    const OperatorRegistry operators = BuiltInOperators();
    SmallConstants constants(weights, 18, external, operators);
    nodes_.clear();
    for (const NodeProto& node : graph_.nodes) nodes_.push_back(&node);
    RecomposeQuantization(graph_, constants, nodes_, made_);
    std::erase_if(nodes_, [](const NodeProto* node) { return node->op_type == "Constant"; });
    return NodeTexts(nodes_);
  }
  // The elements of the constant that is called `name`.
  std::vector<float> Floats(const std::string& name) const {
    for (const NodeProto& node : made_) {
      if (!node.outputs.empty() && node.outputs[0] == name) return node.attributes[0].t->float_data;
    }
    return {};
  }
  std::vector<std::int64_t> Numbers(const std::string& name) const {
    for (const NodeProto& node : made_) {
      if (node.outputs[0] == name) return node.attributes[0].t->integer_data;
    }
    return {};
  }

  GraphProto graph_;
  std::vector<const NodeProto*> nodes_;
  std::deque<NodeProto> made_;
};

TEST_F(DecomposedQuantizationTest, BothHalvesAndWhatStandsBetweenThem) {
  Quantize();
  Add("Transpose", {"q"}, "moved");
  Cast("moved", kFloat, "e");
  Add("Sub", {"e", "z"}, "f");
  Add("Mul", {"f", "s"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("QuantizeLinear(x q/scale q/zero_point)", "Transpose(q)",
                                        "DequantizeLinear(moved out/scale out/zero_point)"));
  EXPECT_THAT(Floats("q/scale"), ElementsAre(0.3F));
  EXPECT_THAT(Numbers("q/zero_point"), ElementsAre(7));
  EXPECT_EQ(nodes_[0]->outputs[0], "q");
}

TEST_F(DecomposedQuantizationTest, WithoutCasts) {
  Add("Mul", {"x", "r"}, "a");
  Add("Round", {"a"}, "b1");
  Cast("z8", kFloat, "zero");
  Add("Add", {"zero", "b1"}, "c");
  Add("Max", {"c", "0"}, "d");
  Add("Min", {"127", "d"}, "e");
  Add("Sub", {"e", "zero"}, "f");
  Add("Mul", {"s", "f"}, "y");
  Add("Mul", {"f", "s"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("Cast(z8)",
                                        "QuantizeLinear(x y/quantized/unclipped/scale "
                                        "y/quantized/unclipped/zero_point)",
                                        "Clip(y/quantized/unclipped  y/quantized/high)",
                                        "DequantizeLinear(y/quantized y/scale y/zero_point)",
                                        "DequantizeLinear(y/quantized out/scale out/zero_point)"));
  // Its inverse is `r`, and it is what the result is multiplied with.
  EXPECT_THAT(Floats("y/quantized/unclipped/scale"), ElementsAre(0.3F));
  EXPECT_THAT(Numbers("y/quantized/high"), ElementsAre(127));
}

TEST_F(DecomposedQuantizationTest, BoundsWithoutTheirZeroPoint) {
  graph_.initializers.push_back(ProtoFloats("-7", {-7}));
  graph_.initializers.push_back(ProtoFloats("248", {248}));
  Add("Div", {"x", "s"}, "a");
  Add("Clip", {"a", "-7", "248"}, "c");
  Add("Round", {"c"}, "d");
  Add("Mul", {"d", "s"}, "out");
  EXPECT_THAT(Recomposed(),
              ElementsAre("QuantizeLinear(x out/quantized/scale out/quantized/zero_point)",
                          "DequantizeLinear(out/quantized out/scale out/zero_point)"));
  EXPECT_THAT(Numbers("out/quantized/zero_point"), ElementsAre(7));
  EXPECT_THAT(Numbers("out/zero_point"), ElementsAre(7));
}

TEST_F(DecomposedQuantizationTest, WeightsAndBiases) {
  Cast("w", kInt64, "wide");
  graph_.initializers.push_back(ProtoIntegers("wz", kInt64, {}, {-3}));
  Add("Sub", {"wide", "wz"}, "centred");
  Cast("centred", kFloat, "wf");
  Add("Mul", {"wf", "ws"}, "wd");
  Cast("b", kFloat, "bf");
  Add("Mul", {"bf", "s"}, "bd");
  Add("Conv", {"x", "wd", "bd"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("DequantizeLinear(w wd/scale wd/zero_point)",
                                        "DequantizeLinear(b bd/scale)", "Conv(x wd bd)"));
  EXPECT_EQ(nodes_[0]->attributes[0].i, 0);  // the axis
  EXPECT_THAT(Floats("wd/scale"), ElementsAre(0.1F, 0.2F));
  EXPECT_THAT(Numbers("wd/zero_point"), ElementsAre(-3, -3));
}

TEST_F(DecomposedQuantizationTest, RealWeightsThatNothingClips) {
  Add("Div", {"real", "s"}, "a");
  Add("Round", {"a"}, "b1");
  graph_.initializers.push_back(ProtoFloats("-127", {-127}));
  Add("Clip", {"b1", "-127", "127"}, "c");
  Add("Mul", {"c", "s"}, "wq");
  Add("MatMul", {"x", "wq"}, "out");
  EXPECT_THAT(Recomposed(),
              ElementsAre("QuantizeLinear(real wq/quantized/scale wq/quantized/zero_point)",
                          "DequantizeLinear(wq/quantized wq/scale wq/zero_point)", "MatMul(x wq)"));
  graph_.initializers[11].float_data[2] = 39.0F;  // 130 steps
  made_.clear();
  EXPECT_EQ(Recomposed().size(), graph_.nodes.size());
}

TEST_F(DecomposedQuantizationTest, NodesThatChangeNothingAreLeftOut) {
  Quantize();
  Add("Identity", {"q"}, "same");
  Add("Transpose", {"same"}, "still");
  AttributeProto order;
  order.name = "perm";
  order.ints = {0, 1, 2, 3};
  graph_.nodes.back().attributes = {order};
  Cast("still", kFloat, "e");
  Add("CastLike", {"z", "e"}, "like");
  Add("Sub", {"e", "like"}, "f");
  Add("Mul", {"f", "s"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("QuantizeLinear(x q/scale q/zero_point)",
                                        "DequantizeLinear(q out/scale out/zero_point)"));
}

TEST_F(DecomposedQuantizationTest, ScalesThatAreComputedOfConstants) {
  Add("Mul", {"s", "s"}, "ss");
  Add("QuantizeLinear", {"x", "ss", "z8"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("Mul(s s)", "QuantizeLinear(x ss/value z8)"));
  EXPECT_THAT(Floats("ss/value"), ElementsAre(0.3F * 0.3F));
}

TEST_F(DecomposedQuantizationTest, WhatIsTakenByOthersStays) {
  Quantize();
  Cast("q", kFloat, "e");
  Add("Sub", {"e", "z"}, "f");
  Add("Mul", {"f", "s"}, "out");
  graph_.outputs.push_back(graph_.outputs[0]);
  graph_.outputs.back().name = "d";
  EXPECT_THAT(Recomposed(), ElementsAre("Div(x s)", "Round(a)", "Add(b1 z)", "Clip(c 0 255)",
                                        "QuantizeLinear(x q/scale q/zero_point)",
                                        "DequantizeLinear(q out/scale out/zero_point)"));
}

// Each of these is one node away from a quantization.
TEST_F(DecomposedQuantizationTest, OtherComputationsStayAsTheyAre) {
  const auto stays = [this](const char* what) {
    made_.clear();
    EXPECT_EQ(Recomposed(), [this] {
      std::vector<const NodeProto*> all;
      for (const NodeProto& node : graph_.nodes) all.push_back(&node);
      return NodeTexts(all);
    }()) << what;
  };
  Quantize();
  graph_.outputs[0].name = "q";
  graph_.nodes[1].op_type = "Floor";
  stays("not rounded");
  graph_.nodes[1].op_type = "Round";
  graph_.nodes[3].inputs = {"c", "-128", "127"};
  stays("bounds of another type");
  graph_.nodes[3].inputs = {"c", "0"};
  stays("no upper bound");
  graph_.nodes[3].inputs = {"c", "0", "255"};
  graph_.nodes[2].inputs = {"b1", "s"};
  stays("a zero point that is no whole number");
  graph_.nodes[2].inputs = {"b1", "x"};
  stays("a zero point that is no constant");
  graph_.nodes[2].inputs = {"b1", "z"};
  graph_.nodes[0].inputs = {"s", "x"};
  stays("divided by x");
  graph_.nodes[0].inputs = {"x", "0"};
  stays("a scale of 0");
  graph_.nodes[0].inputs = {"x", "ws"};
  graph_.inputs[0].shape.emplace(3);
  stays("a scale of more axes than x has");
  graph_.initializers[0].float_data = {std::numeric_limits<float>::quiet_NaN()};
  graph_.nodes[0].inputs = {"x", "s"};
  stays("a scale that is no number");
}

TEST_F(DecomposedQuantizationTest, BytesThatWrapAroundAreNotDequantized) {
  graph_.initializers.push_back(ProtoIntegers("i", kInt8, {}, {3}));
  Add("Sub", {"w", "i"}, "wrapped");
  Cast("wrapped", kFloat, "f");
  Add("Mul", {"f", "s"}, "wd");
  Add("Conv", {"x", "wd"}, "out");
  EXPECT_THAT(Recomposed(), ElementsAre("Sub(w i)", "Cast(wrapped)", "Mul(f s)", "Conv(x wd)"));
}

TEST_F(DecomposedQuantizationTest, NamesThatAreTakenAreNotTakenAgain) {
  Quantize();
  Add("Relu", {"x"}, "q/scale");
  Add("Add", {"q/scale", "q/scale"}, "q/zero_point");
  graph_.outputs[0].name = "q/zero_point";
  graph_.outputs.push_back(graph_.outputs[0]);
  graph_.outputs[1].name = "q";
  EXPECT_EQ(Recomposed()[0], "QuantizeLinear(x q/scale_1 q/zero_point_1)");
}

}  // namespace
}  // namespace octet::onnx
