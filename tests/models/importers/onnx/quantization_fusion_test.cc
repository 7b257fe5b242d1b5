// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantization_fusion.h"

#include <cstdint>
#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace octet::onnx {
namespace {

using ::testing::ElementsAre;

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1, kUint8 = 2, kInt8 = 3, kInt16 = 5, kInt32 = 6;

NodeProto Node(const std::string& op, std::vector<std::string> inputs, const std::string& output) {
  NodeProto node;
  node.name = output;
  node.op_type = op;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  return node;
}

TensorProto Floats(const std::string& name, std::vector<float> values) {
  TensorProto tensor;
  tensor.name = name;
  tensor.data_type = kFloat;
  if (values.size() > 1) tensor.dims = {static_cast<std::int64_t>(values.size())};
  tensor.float_data = std::move(values);
  return tensor;
}
TensorProto Integers(const std::string& name, std::int64_t type, std::vector<std::int64_t> dims,
                     std::vector<std::int64_t> values) {
  TensorProto tensor;
  tensor.name = name;
  tensor.data_type = type;
  tensor.dims = std::move(dims);
  tensor.integer_data = std::move(values);
  return tensor;
}

// "x" and "y" quantized, with scales and zero points to go with them; the output is "out".
class QuantizationFusionTest : public ::testing::Test {
 protected:
  QuantizationFusionTest() {
    graph_.initializers = {Floats("s", {0.5F}),
                           Floats("t", {0.25F}),
                           Floats("s2", {0.5F}),
                           Integers("z", kUint8, {}, {3}),
                           Integers("zero", kUint8, {}, {0}),
                           Integers("z16", kInt16, {}, {0}),
                           Floats("ws", {0.1F, 0.2F}),
                           Integers("wz", kInt8, {2}, {0, 0}),
                           Integers("w", kInt8, {2, 2}, {1, 2, 3, 4}),
                           Floats("bs", {0.05F, 0.1F}),
                           Integers("b", kInt32, {2}, {5, 6})};
    ValueInfoProto output;
    output.name = "out";
    graph_.outputs = {output};
    Add("QuantizeLinear", {"x", "s", "z"}, "xq");
    Add("DequantizeLinear", {"xq", "s", "z"}, "xd");
  }

  void Add(const std::string& op, std::vector<std::string> inputs, const std::string& output,
           std::vector<AttributeProto> attributes = {}) {
    graph_.nodes.push_back(Node(op, std::move(inputs), output));
    graph_.nodes.back().attributes = std::move(attributes);
  }
  void AddWeights(std::int64_t axis) {
    AttributeProto attribute;
    attribute.name = "axis";
    attribute.i = axis;
    Add("DequantizeLinear", {"w", "ws", "wz"}, "wd", {attribute});
    Add("DequantizeLinear", {"b", "bs"}, "bd", {attribute});
  }

  // "domain:Op(inputs)" of each node that is left.
  std::vector<std::string> Fused() {
    nodes_.clear();
    for (const NodeProto& node : graph_.nodes) nodes_.push_back(&node);
    FuseQuantization(graph_, nodes_, made_);
    std::vector<std::string> texts;
    for (const NodeProto* const node : nodes_) {
      std::string text = node->domain.empty() ? "" : node->domain + ":";
      text += node->op_type + "(";
      for (const std::string& input : node->inputs) text += input + " ";
      if (!node->inputs.empty()) text.pop_back();
      texts.push_back(text + ")");
    }
    return texts;
  }

  GraphProto graph_;
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
  graph_.nodes.insert(graph_.nodes.begin(), Node("Identity", {"t"}, "again"));
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
