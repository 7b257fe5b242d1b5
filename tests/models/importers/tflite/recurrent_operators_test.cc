// SPDX-License-Identifier: Apache-2.0
// What an LSTM computes: tests/models/importers/tflite_peer_test.py and tflite_micro_peer_test.py.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/importers/tflite/model_translator.h"
#include "models/operators/operators.h"
#include "tests/models/importers/tflite/model_builder.h"

namespace octet::tflite {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::ModelSpec;

struct LstmOptions {
  float cell_clip = 10.0F;
  bool time_major = false;
  std::int8_t activation = 4;  // tanh
  bool asymmetric_quantize_inputs = true;
};

// Of two units for vectors of three: every weight is its gate's number, from 1 on.
ModelSpec LstmModel(const LstmOptions& options = {}) {
  ModelSpec spec;
  spec.tensors = {{.name = "x", .shape = {1, 4, 3}},
                  {.name = "y", .shape = {1, 4, 2}},
                  {.name = "h", .shape = {1, 2}, .is_variable = true},
                  {.name = "c", .shape = {1, 2}, .is_variable = true}};
  std::vector<std::int32_t> inputs = {0};
  const auto add = [&](const std::vector<std::int32_t>& shape, std::size_t size) {
    for (int gate = 1; gate <= 4; ++gate) {
      inputs.push_back(static_cast<std::int32_t>(spec.tensors.size()));
      const std::vector<float> elements(size, static_cast<float>(gate));
      spec.tensors.push_back({.name = "w", .shape = shape, .data = Bytes<float>(elements)});
    }
  };
  add({2, 3}, 6);
  add({2, 2}, 4);
  inputs.insert(inputs.end(), {-1, -1, -1});
  add({2}, 2);
  inputs.insert(inputs.end(), {-1, -1, 2, 3, -1, -1, -1, -1});
  spec.operators = {{.code = 44,
                     .inputs = inputs,
                     .outputs = {1},
                     .options_type = schema::BuiltinOptions_UnidirectionalSequenceLSTMOptions,
                     .options = [options](flatbuffers::FlatBufferBuilder& builder) {
                       return schema::CreateUnidirectionalSequenceLSTMOptions(
                                  builder, options.activation, options.cell_clip, 0.0F,
                                  options.time_major, options.asymmetric_quantize_inputs)
                           .Union();
                     }}};
  spec.inputs = {0};
  spec.outputs = {1};
  return spec;
}

// Where tensors of the model above are.
constexpr std::size_t kX = 0;
constexpr std::size_t kY = 1;
constexpr std::size_t kOutputState = 2;
constexpr std::size_t kCellState = 3;
constexpr std::size_t kWeights = 4;
constexpr std::size_t kRecurrent = 8;
constexpr std::size_t kBias = 12;
constexpr std::size_t kHidden = 16;  // of integers alone

// The same of int8: weights have scales of 0.01 and more, by their gate, the cell state 2^-11.
ModelSpec IntegerLstmModel(const LstmOptions& options = {}) {
  ModelSpec spec = LstmModel(options);
  const auto quantize = [&](std::size_t tensor, std::int8_t type, float scale, std::int64_t zero) {
    spec.tensors[tensor].type = type;
    spec.tensors[tensor].scale = {scale};
    spec.tensors[tensor].zero_point = {zero};
  };
  quantize(kX, testing::kInt8, 0.02F, -9);
  quantize(kY, testing::kInt8, 0.0078F, 3);
  quantize(kOutputState, testing::kInt8, 0.0078F, 3);
  quantize(kCellState, testing::kInt16, 0x1p-11F, 0);
  for (std::size_t gate = 0; gate < 4; ++gate) {
    const auto number = static_cast<std::uint8_t>(gate + 1);
    const float scale = 0.01F * static_cast<float>(number);
    quantize(kWeights + gate, testing::kInt8, scale, 0);
    quantize(kRecurrent + gate, testing::kInt8, 2 * scale, 0);
    quantize(kBias + gate, testing::kInt32, 0.02F * scale, 0);
    spec.tensors[kWeights + gate].data.assign(6, number);
    spec.tensors[kRecurrent + gate].data.assign(4, number);
    spec.tensors[kBias + gate].data = Bytes<std::int32_t>({number, number});
  }
  spec.tensors.push_back({.name = "hidden", .shape = {0}});
  quantize(kHidden, testing::kInt8, 0.0078F, 3);
  spec.operators[0].intermediates = {-1, -1, -1, -1, static_cast<std::int32_t>(kHidden)};
  return spec;
}

// Of float32 with the weights of the one above.
ModelSpec DynamicLstmModel(const LstmOptions& options = {}) {
  ModelSpec spec = LstmModel(options);
  const ModelSpec integers = IntegerLstmModel();
  for (std::size_t i = kWeights; i < kBias; ++i) spec.tensors[i] = integers.tensors[i];
  return spec;
}

class RecurrentOperatorsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Graph> Translated(const ModelSpec& spec, const std::string& profile = "") {
    bytes_ = Build(spec);
    const auto file = ReadModelFile(bytes_);
    if (!file.ok()) return file.status();
    Translation translation(operators_, *file, Profile(profile), std::int64_t{1} << 30);
    auto graph = TranslateModel(translation);
    layers_ = std::move(translation.layers);
    return graph;
  }

  void ExpectError(const ModelSpec& spec, absl::StatusCode code, const std::string& message) {
    const absl::Status status = Translated(spec).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }

  const OperatorRegistry operators_ = BuiltInOperators();
  std::vector<std::byte> bytes_;
  std::vector<octet::Layer> layers_;
};

TEST_F(RecurrentOperatorsTest, AnLstmIsKerass) {
  const auto graph = Translated(LstmModel());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes[0].op, "Lstm");
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].layer_class, "LSTM");
  EXPECT_EQ(layers_[0].path, "y");
  ASSERT_EQ(layers_[0].variables.size(), 3);
  EXPECT_EQ(layers_[0].variables[0].tensor.dims(), (Dims{3, 8}));
  EXPECT_EQ(layers_[0].variables[1].tensor.dims(), (Dims{2, 8}));
  EXPECT_THAT(layers_[0].variables[2].tensor.as<float>(),
              ::testing::ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  EXPECT_EQ(layers_[0].variables[0].tensor.as<float>()[10], 2.0F);
}

TEST_F(RecurrentOperatorsTest, RefusesFormsThatItDoesNotHave) {
  const auto with_input = [](std::size_t index, std::int32_t tensor) {
    ModelSpec spec = LstmModel();
    spec.operators[0].inputs[index] = tensor;
    return spec;
  };
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  ExpectError(with_input(9, 4), kUnimplemented, "with peepholes");
  ExpectError(with_input(16, 4), kUnimplemented, "with a projection");
  ExpectError(with_input(23, 4), kUnimplemented, "with layer normalization");
  ExpectError(with_input(1, -1), kUnimplemented, "without an input gate");
  ExpectError(with_input(18, 4), kUnimplemented, "from a state that is no variable");
  ExpectError(LstmModel({.time_major = true}), kUnimplemented, "with time_major");
  ModelSpec spec = LstmModel();
  spec.tensors[5].type = testing::kInt8;
  spec.tensors[5].data.resize(6);
  spec.tensors[5].scale = {0.5F};
  spec.tensors[5].zero_point = {0};
  ExpectError(spec, kUnimplemented, "wants floats");
}

TEST_F(RecurrentOperatorsTest, WeightsFitEachOther) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ModelSpec spec = LstmModel();
  spec.operators[0].inputs.resize(12);
  ExpectError(spec, kInvalid, "got 12 inputs and 1 outputs, wants 20 to 24");
  spec = LstmModel();
  spec.operators[0].inputs[13] = -1;
  ExpectError(spec, kInvalid, "input 13 is not given");
  spec = LstmModel();
  spec.tensors[9].shape = {4, 1};
  ExpectError(spec, kInvalid, "wants [2, 2]");
  spec = LstmModel();
  spec.tensors[13].shape = {1, 2};
  ExpectError(spec, kInvalid, "wants [2]");
  ExpectError(LstmModel({.cell_clip = std::numeric_limits<float>::quiet_NaN()}), kInvalid,
              "got cell_clip nan");
  // The recurrent weights are not as large as the units say.
  spec = LstmModel();
  for (std::size_t i = 4; i < 8; ++i) spec.tensors[i].shape = {6, 1};
  ExpectError(spec, kInvalid, "wants [6, 6]");
}

TEST_F(RecurrentOperatorsTest, AnIntegerLstmIsAStaticLayer) {
  const auto graph = Translated(IntegerLstmModel());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes[0].op, "FixedPointLstm");
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].layer_class, "LSTM");
  EXPECT_EQ(layers_[0].mode, "int8_static");
  ASSERT_EQ(layers_[0].variables.size(), 5);
  const auto& variables = layers_[0].variables;
  EXPECT_EQ(variables[0].tensor.dims(), (Dims{3, 8}));
  EXPECT_THAT(variables[0].tensor.as<std::int8_t>().first(8),
              ::testing::ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  EXPECT_EQ(variables[1].tensor.dims(), (Dims{2, 8}));
  EXPECT_THAT(variables[2].tensor.as<std::int32_t>(),
              ::testing::ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  EXPECT_EQ(variables[3].scale_convention, "multiply");
  EXPECT_THAT(variables[3].tensor.as<float>(),
              ::testing::ElementsAre(0.01F, 0.01F, 0.02F, 0.02F, 0.03F, 0.03F, 0.04F, 0.04F));
  EXPECT_EQ(variables[4].tensor.as<float>()[7], 0.08F);
}

TEST_F(RecurrentOperatorsTest, AProfileSaysWhoseIntegersTheyAre) {
  const auto attributes = [&](const std::string& profile) {
    const auto graph = Translated(IntegerLstmModel(), profile);
    EXPECT_TRUE(graph.ok()) << graph.status();
    const Attributes& node = graph->nodes[0].attributes;
    return std::get<std::string>(node.at("formula")) + " " +
           std::get<std::string>(node.at("requantization"));
  };
  EXPECT_EQ(attributes("tflite-reference"), "micro fixed");
  EXPECT_EQ(attributes("tflite-single-rounding"), "micro fixed_single");
  EXPECT_EQ(attributes("xnnpack"), "litert fixed");
}

TEST_F(RecurrentOperatorsTest, OneOfDynamicRangeQuantizesStepByStep) {
  const auto graph = Translated(DynamicLstmModel());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes.front().op, "DynamicQuantize");
  EXPECT_EQ(graph->nodes.back().op, "DynamicLstm");
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].path, "y");
  EXPECT_EQ(layers_[0].mode, "int8");
  ASSERT_EQ(layers_[0].variables.size(), 5);
  EXPECT_EQ(layers_[0].variables[2].tensor.data_type(), DataType::kFloat32);
  EXPECT_EQ(layers_[0].variables[3].scale_convention, "reciprocal");
  EXPECT_EQ(layers_[0].variables[3].tensor.as<float>()[0], 1.0F / 0.01F);
}

TEST_F(RecurrentOperatorsTest, OneOfDynamicRangeMayBeSymmetric) {
  const auto graph = Translated(DynamicLstmModel({.asymmetric_quantize_inputs = false}));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes.front().op, "FullyConnected");
  EXPECT_EQ(std::get<std::string>(graph->nodes.back().attributes.at("ranges")), "symmetric");
}

TEST_F(RecurrentOperatorsTest, RefusesFormsOfDynamicRangeThatItDoesNotHave) {
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  ModelSpec spec = DynamicLstmModel();
  spec.tensors[kRecurrent] = LstmModel().tensors[kRecurrent];
  ExpectError(spec, kUnimplemented, "input 5 is \"w\" FP32[2, 2], wants INT8 with a scale");
  spec = DynamicLstmModel();
  spec.tensors[kWeights].scale = {1e-40F};
  EXPECT_FALSE(Translated(spec).ok());
  spec = DynamicLstmModel();
  spec.tensors[kBias].shape = {1, 2};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "wants [2]");
}

TEST_F(RecurrentOperatorsTest, RefusesIntegerFormsThatItDoesNotHave) {
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  ExpectError(IntegerLstmModel({.activation = 1}), kUnimplemented, "activation relu, wants tanh");
  const auto with_type = [](std::size_t tensor, std::int8_t type) {
    ModelSpec spec = IntegerLstmModel();
    spec.tensors[tensor].type = type;
    spec.tensors[tensor].zero_point = {0};
    return spec;
  };
  ExpectError(with_type(kX, testing::kInt16), kUnimplemented, "INT16[1, 4, 3]");
  ExpectError(with_type(kX, testing::kUint8), kUnimplemented, "wants FP32, or INT8 with a scale");
  ExpectError(with_type(kWeights + 1, testing::kUint8), kUnimplemented, "wants INT8 with a scale");
  ModelSpec spec = IntegerLstmModel();
  spec.operators[0].inputs[9] = static_cast<std::int32_t>(kBias);
  ExpectError(spec, kUnimplemented, "with peepholes");
  spec = IntegerLstmModel();
  spec.tensors[kRecurrent].zero_point = {1};
  ExpectError(spec, kUnimplemented, "has 1 scales and zero point 1, wants one and 0");
  spec = IntegerLstmModel();
  spec.tensors[kWeights].scale = {0.01F, 0.02F};
  spec.tensors[kWeights].zero_point = {0, 0};
  ExpectError(spec, kUnimplemented, "has 2 scales");
  spec = IntegerLstmModel();
  spec.tensors[kCellState].scale = {0.0005F};
  ExpectError(spec, kUnimplemented, "wants a power of two from 2^-15 to 2^-9");
  spec.tensors[kCellState].scale = {0x1p-8F};
  ExpectError(spec, kUnimplemented, "wants a power of two from 2^-15 to 2^-9");
}

TEST_F(RecurrentOperatorsTest, IntermediatesAndStatesHaveToBeThere) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ModelSpec spec = IntegerLstmModel();
  spec.operators[0].intermediates.clear();
  ExpectError(spec, kInvalid, "has no intermediate 4, wants 5");
  spec.operators[0].intermediates = {-1, -1, -1, -1, -1};
  ExpectError(spec, kInvalid, "has no intermediate 4");
  spec.operators[0].intermediates = {-1, -1, -1, -1, 99};
  ExpectError(spec, kInvalid, "got tensor 99 among its intermediates, wants -1 to 16");
  for (const std::size_t tensor : {kHidden, kY, kOutputState, kCellState}) {
    spec = IntegerLstmModel();
    spec.tensors[tensor].scale.clear();
    spec.tensors[tensor].zero_point.clear();
    ExpectError(spec, kInvalid, "with a scale");
    for (const float scale : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity()}) {
      spec = IntegerLstmModel();
      spec.tensors[tensor].scale = {scale};
      ExpectError(spec, kInvalid, "wants a finite scale above 0");
    }
  }
  spec = IntegerLstmModel();
  spec.tensors[kHidden].scale = {0.009F};
  ExpectError(spec, kInvalid, "the last intermediate has another scale or zero point than");
  spec = IntegerLstmModel();
  spec.tensors[kCellState].zero_point = {1};
  ExpectError(spec, kInvalid, "wants a finite scale above 0 and 0");
  spec = IntegerLstmModel();
  spec.tensors[kCellState].type = testing::kInt8;
  ExpectError(spec, kInvalid, "the cell state is");
}

TEST_F(RecurrentOperatorsTest, IntegerWeightsFitEachOther) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ModelSpec spec = IntegerLstmModel();
  spec.tensors[kRecurrent + 1].shape = {4, 1};
  ExpectError(spec, kInvalid, "wants [2, 2]");
  spec = IntegerLstmModel();
  spec.tensors[kWeights + 2].shape = {3, 2};
  ExpectError(spec, kInvalid, "wants [2, 3]");
  spec = IntegerLstmModel();
  spec.tensors[kBias + 1].shape = {1, 2};
  ExpectError(spec, kInvalid, "wants [2]");
  spec = IntegerLstmModel();
  spec.tensors[kBias + 1].type = testing::kFloat32;
  ExpectError(spec, kInvalid, "wants INT32");
  spec = IntegerLstmModel();
  spec.tensors[kWeights].scale = {0.0F};
  EXPECT_FALSE(Translated(spec).ok());
  spec = IntegerLstmModel();
  spec.tensors[kY].shape = {1, 4, 3};
  ExpectError(spec, kInvalid, "is computed as");
  // Every weight of the file is as large as it says, and there is none of them.
  spec = IntegerLstmModel();
  for (std::size_t gate = 0; gate < 4; ++gate) {
    for (const std::size_t tensor : {kWeights + gate, kRecurrent + gate, kBias + gate}) {
      spec.tensors[tensor].data.clear();
    }
  }
  EXPECT_FALSE(Translated(spec).ok());
}

}  // namespace
}  // namespace octet::tflite
