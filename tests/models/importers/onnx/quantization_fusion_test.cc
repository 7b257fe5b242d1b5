// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantization_fusion.h"

#include <cstdint>
#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

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
constexpr std::int64_t kUint8 = 2, kInt8 = 3, kInt16 = 5, kInt32 = 6;

// "x" and "y" quantized, with scales and zero points to go with them; the output is "out".
class QuantizationFusionTest : public ::testing::Test {
 protected:
  QuantizationFusionTest() {
    graph_.initializers = {ProtoFloats("s", {0.5F}),
                           ProtoFloats("t", {0.25F}),
                           ProtoFloats("s2", {0.5F}),
                           ProtoIntegers("z", kUint8, {}, {3}),
                           ProtoIntegers("zero", kUint8, {}, {0}),
                           ProtoIntegers("z16", kInt16, {}, {0}),
                           ProtoFloats("ws", {0.1F, 0.2F}),
                           ProtoIntegers("wz", kInt8, {2}, {0, 0}),
                           ProtoIntegers("w", kInt8, {2, 2}, {1, 2, 3, 4}),
                           ProtoFloats("bs", {0.05F, 0.1F}),
                           ProtoIntegers("b", kInt32, {2}, {5, 6})};
    ValueInfoProto output;
    output.name = "out";
    graph_.outputs = {output};
    Add("QuantizeLinear", {"x", "s", "z"}, "xq");
    Add("DequantizeLinear", {"xq", "s", "z"}, "xd");
  }

  void Add(const std::string& op, std::vector<std::string> inputs, const std::string& output,
           std::vector<AttributeProto> attributes = {}) {
    graph_.nodes.push_back(ProtoNode(op, std::move(inputs), output));
    graph_.nodes.back().attributes = std::move(attributes);
  }
  void AddWeights(std::int64_t axis) {
    const AttributeProto attribute = ProtoInt("axis", axis);
    Add("DequantizeLinear", {"w", "ws", "wz"}, "wd", {attribute});
    Add("DequantizeLinear", {"b", "bs"}, "bd", {attribute});
  }

  // "domain:Op(inputs)" of each node that is left.
  std::vector<std::string> Fused() {
    nodes_.clear();
    for (const NodeProto& node : graph_.nodes) nodes_.push_back(&node);
    FuseQuantization(graph_, weights_, nodes_, made_);
    return NodeTexts(nodes_);
  }

  GraphProto graph_;
  NamedWeights weights_;
  std::vector<const NodeProto*> nodes_;
  std::deque<NodeProto> made_;
};

TEST_F(QuantizationFusionTest, Convolution) {
  AddWeights(0);
  Add("Conv", {"xd", "wd", "bd"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "QLinearConv(xq s z w ws wz t z b)"));
  EXPECT_EQ(nodes_.back()->outputs[0], "out");
}

TEST_F(QuantizationFusionTest, AConstantMayHaveAnotherName) {
  AddWeights(0);
  graph_.nodes.insert(graph_.nodes.begin(), ProtoNode("Identity", {"t"}, "again"));
  Add("Conv", {"xd", "wd", "bd"}, "y");
  Add("QuantizeLinear", {"y", "again", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("Identity(t)", "QuantizeLinear(x s z)",
                                   "QLinearConv(xq s z w ws wz again z b)"));
}

TEST_F(QuantizationFusionTest, AConvolutionWithoutTheRightScalesStays) {
  AddWeights(1);  // one scale for each input channel
  Add("Conv", {"xd", "wd"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
  graph_.nodes.resize(2);
  AddWeights(0);
  graph_.initializers[9].float_data = {0.05F, 0.11F};  // no product of the other two
  Add("Conv", {"xd", "wd", "bd"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

TEST_F(QuantizationFusionTest, AReluGoesWhereTheZeroPointIsTheLeast) {
  AddWeights(0);
  Add("Conv", {"xd", "wd"}, "y");
  Add("Relu", {"y"}, "r");
  Add("QuantizeLinear", {"r", "t", "zero"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)",
                                   "QLinearConv(xq s z w ws wz t zero)"));
  graph_.nodes.back().inputs[2] = "z";
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

TEST_F(QuantizationFusionTest, ProductsWithAndWithoutAQuantizer) {
  AddWeights(1);
  Add("MatMul", {"xd", "wd"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)",
                                   "com.microsoft:MatMulIntegerToFloat(xq w s ws z wz)"));
  graph_.nodes.back().outputs = {"y"};
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)",
                                   "QLinearMatMul(xq s z w ws wz t z)"));
  graph_.nodes.resize(4);
  Add("Gemm", {"xd", "wd", "bd"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_THAT(Fused(),
              ElementsAre("QuantizeLinear(x s z)", "com.microsoft:QGemm(xq s z w ws wz b t z)"));
}

TEST_F(QuantizationFusionTest, ABiasOfFloatsBecomesOneOfIntegers) {
  AddWeights(0);
  graph_.initializers.push_back(ProtoFloats("real", {0.26F, -0.5F}));
  Add("Conv", {"xd", "wd", "real"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)", "Constant()",
                                   "QLinearConv(xq s z w ws wz t z out/bias_int32)"));
  // 0.26 / (0.5 * 0.1) and -0.5 / (0.5 * 0.2)
  EXPECT_THAT(nodes_[2]->attributes[0].t->integer_data, ElementsAre(5, -5));
  graph_.nodes[4].op_type = "Gemm";
  graph_.nodes[4].attributes = {ProtoInt("transB", 1)};
  EXPECT_EQ(Fused().back(), "com.microsoft:QGemm(xq s z w ws wz out/bias_int32 t z)");
  graph_.nodes[4].op_type = "Conv";
  graph_.nodes[4].attributes.clear();
  graph_.initializers.back().float_data[0] = 1e9F;  // leaves no room for the products
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

TEST_F(QuantizationFusionTest, AProductWithAFloatBiasThatIsNotQuantized) {
  AddWeights(0);
  graph_.initializers.push_back(ProtoFloats("real", {0.26F, -0.5F}));
  Add("Gemm", {"xd", "wd", "real"}, "out", {ProtoInt("transB", 1)});
  EXPECT_THAT(Fused(),
              ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)", "Transpose(w)",
                          "com.microsoft:MatMulIntegerToFloat(xq w/transposed s ws z wz "
                          "real)"));
}

TEST_F(QuantizationFusionTest, WeightsThatAreTransposedBehindTheirDequantizer) {
  AddWeights(0);
  Add("Transpose", {"wd"}, "wt");
  Add("MatMul", {"xd", "wt"}, "out");
  EXPECT_THAT(Fused(),
              ElementsAre("QuantizeLinear(x s z)", "DequantizeLinear(b bs)", "Transpose(w)",
                          "com.microsoft:MatMulIntegerToFloat(xq w/transposed s ws z wz)"));
}

TEST_F(QuantizationFusionTest, FloatWeightsThatAreIntegersTimesScales) {
  const std::vector<float> real = {0.1F * 3, 0.1F * -127, 0.2F * 50, 0.2F * 127};
  weights_.emplace("real", ConstantTensor::Copy(DataType::kFloat32, {2, 2}, real));
  graph_.initializers.push_back(ProtoFloats("real", real, {2, 2}));
  Add("Gemm", {"xd", "real"}, "y", {ProtoInt("transB", 1)});
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "Constant()", "Constant()",
                                   "com.microsoft:QGemm(xq s z real/int8 real/scale   t z)"));
  EXPECT_THAT(nodes_[1]->attributes[0].t->integer_data, ElementsAre(3, -127, 50, 127));
}

TEST_F(QuantizationFusionTest, AResultThatIsTakenTwiceStays) {
  AddWeights(0);
  Add("Conv", {"xd", "wd"}, "y");
  Add("QuantizeLinear", {"y", "t", "z"}, "out");
  graph_.outputs.push_back(graph_.outputs[0]);
  graph_.outputs.back().name = "y";
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

TEST_F(QuantizationFusionTest, SumsFunctionsAndJoins) {
  Add("QuantizeLinear", {"v", "t", "zero"}, "vq");
  Add("DequantizeLinear", {"vq", "t", "zero"}, "vd");
  Add("Add", {"xd", "vd"}, "a");
  Add("QuantizeLinear", {"a", "s", "z"}, "aq");
  Add("DequantizeLinear", {"aq", "s", "z"}, "ad");
  Add("Sigmoid", {"ad"}, "f");
  Add("QuantizeLinear", {"f", "t", "zero"}, "fq");
  Add("DequantizeLinear", {"fq", "t", "zero"}, "fd");
  Add("Concat", {"fd", "xd"}, "c");
  Add("QuantizeLinear", {"c", "t", "z"}, "out");
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "QuantizeLinear(v t zero)",
                                   "com.microsoft:QLinearAdd(xq s z vq t zero s z)",
                                   "com.microsoft:QLinearSigmoid(aq s z t zero)",
                                   "com.microsoft:QLinearConcat(t z fq t zero xq s z)"));
}

TEST_F(QuantizationFusionTest, BytesAreMovedWhereTheQuantizationStays) {
  Add("Transpose", {"xd"}, "y");
  Add("QuantizeLinear", {"y", "s2", "z"}, "out");  // an equal scale of another name
  EXPECT_THAT(Fused(), ElementsAre("QuantizeLinear(x s z)", "Transpose(xq)"));
  graph_.nodes.back().inputs[1] = "t";
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

TEST_F(QuantizationFusionTest, SixteenBitsStay) {
  graph_.nodes.clear();
  Add("QuantizeLinear", {"x", "s", "z16"}, "xq");
  Add("DequantizeLinear", {"xq", "s", "z16"}, "xd");
  Add("Sigmoid", {"xd"}, "y");
  Add("QuantizeLinear", {"y", "s", "z16"}, "out");
  EXPECT_EQ(Fused().size(), graph_.nodes.size());
}

}  // namespace
}  // namespace octet::onnx
