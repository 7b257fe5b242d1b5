// SPDX-License-Identifier: Apache-2.0
#include "models/importers/tflite/model_translator.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "models/operators/operators.h"
#include "tests/models/importers/tflite/model_builder.h"

namespace octet::tflite {
namespace {

using testing::Add;
using testing::Build;
using testing::Bytes;
using testing::FullyConnected;
using ::testing::HasSubstr;
using testing::ModelSpec;
using ::testing::Not;
using testing::SmallModel;

constexpr std::int64_t kMuch = 1 << 20;

class ModelTranslatorTest : public ::testing::Test {
 protected:
  absl::StatusOr<Graph> Translated(const ModelSpec& spec, std::int64_t constant_bytes = kMuch) {
    bytes_ = Build(spec);
    auto file = ReadModelFile(bytes_);
    if (!file.ok()) return file.status();
    Translation translation(operators_, *file, Profile("xnnpack"), constant_bytes);
    auto graph = TranslateModel(translation);
    layers_ = translation.layers;
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

TEST_F(ModelTranslatorTest, TakesAnyNumberOfRows) {
  const auto graph = Translated(SmallModel());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto shape_of = [&](ValueId id) {
    return ToString(graph->values[static_cast<std::size_t>(id)].type.shape, graph->symbol_names);
  };
  EXPECT_EQ(shape_of(graph->inputs[0]), "[rows, 2]");
  EXPECT_EQ(shape_of(graph->outputs[0]), "[rows, 3]");
}

TEST_F(ModelTranslatorTest, InputsAndOutputsKeepTheirNames) {
  const auto graph = Translated(SmallModel());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->inputs[0])].name, "x");
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->outputs[0])].name, "y");
}

TEST_F(ModelTranslatorTest, WhatHasWeightsIsALayer) {
  ASSERT_TRUE(Translated(SmallModel()).ok());
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].path, "y");
  EXPECT_EQ(layers_[0].layer_class, "Dense");
  EXPECT_EQ(layers_[0].mode, "float");
  ASSERT_EQ(layers_[0].variables.size(), 2);
  EXPECT_EQ(layers_[0].variables[0].name, "kernel");
  EXPECT_EQ(layers_[0].variables[0].tensor.dims(), (Dims{2, 3}));
  EXPECT_EQ(layers_[0].variables[0].tensor.as<float>()[1], 3.0F);  // inputs by outputs
  EXPECT_EQ(layers_[0].variables[1].name, "bias");
}

TEST_F(ModelTranslatorTest, IntegerLayersHaveAScaleForEachChannel) {
  ASSERT_TRUE(Translated(testing::SmallIntegerModel(testing::kUint8)).ok());
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].mode, "int8_static");
  ASSERT_EQ(layers_[0].variables.size(), 4);
  EXPECT_EQ(layers_[0].variables[0].tensor.as<std::int8_t>()[0], 3);  // 1 + 130 - 128
  EXPECT_EQ(layers_[0].variables[2].name, "kernel_scale");
  EXPECT_EQ(layers_[0].variables[2].scale_convention, "multiply");
  EXPECT_EQ(layers_[0].variables[3].name, "kernel_zero_point");
  EXPECT_EQ(layers_[0].variables[3].tensor.as<std::int8_t>()[2], 2);
}

TEST_F(ModelTranslatorTest, Int16LayersHaveABiasOfInt64) {
  const auto graph = Translated(testing::SmallInt16Model());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->inputs[0])].type.data_type,
            DataType::kInt16);
  EXPECT_EQ(graph->values[static_cast<std::size_t>(graph->outputs[0])].type.data_type,
            DataType::kInt16);
  ASSERT_EQ(layers_.size(), 1);
  EXPECT_EQ(layers_[0].mode, "int8_static");
  ASSERT_EQ(layers_[0].variables.size(), 3);
  EXPECT_EQ(layers_[0].variables[0].tensor.data_type(), DataType::kInt8);
  EXPECT_EQ(layers_[0].variables[1].tensor.data_type(), DataType::kInt64);
}

TEST_F(ModelTranslatorTest, Int16IsSymmetricAndBesideInt8Weights) {
  ModelSpec spec = testing::SmallInt16Model();
  spec.tensors[0].zero_point = {1};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "got scale 0.5 and zero point 1");
  spec = testing::SmallInt16Model();
  spec.tensors[2].type = testing::kInt32;
  spec.tensors[2].data = Bytes<std::int32_t>({2, 0, 4});
  ExpectError(spec, absl::StatusCode::kUnimplemented, "an INT32 bias beside INT16, wants INT64");
  spec = testing::SmallInt16Model();
  spec.tensors[1].type = testing::kInt16;
  spec.tensors[1].data = Bytes<std::int16_t>({1, 2, 3, 4, -5, 6});
  ExpectError(spec, absl::StatusCode::kUnimplemented, "or INT8 weights for INT16");
  spec = testing::SmallInt16Model();
  spec.tensors[3].type = testing::kInt8;
  ExpectError(spec, absl::StatusCode::kUnimplemented, "is computed as INT16");
}

TEST_F(ModelTranslatorTest, WhatHasNoIntegersOfInt16IsUnimplemented) {
  ModelSpec spec = testing::SmallInt16Model();
  spec.tensors.push_back(spec.tensors[3]);
  for (const std::int32_t code : {42, 47, 50, 117}) {  // DIV, EXP, LOG_SOFTMAX, HARD_SWISH
    SCOPED_TRACE(code);
    spec.operators.resize(1);
    spec.operators.push_back({.code = code, .inputs = {3}, .outputs = {4}});
    if (code == 42) spec.operators[1].inputs = {3, 3};
    spec.outputs = {4};
    ExpectError(spec, absl::StatusCode::kUnimplemented, "wants FP32, INT8 or UINT8");
  }
  spec.operators[1] = {.code = 14, .inputs = {3}, .outputs = {4}};  // LOGISTIC
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants 1 / 32768");
  // All scales are 0.5, and options that say nothing ask for shifts.
  spec.operators[1] = Add(3, 3, 4);
  ExpectError(spec, absl::StatusCode::kUnimplemented, "powers of two with pot_scale_int16");
  spec.tensors[4].scale = {0.3F};
  EXPECT_TRUE(Translated(spec).ok());
}

TEST_F(ModelTranslatorTest, AllOperatorsThatFailAreInOneMessage) {
  ModelSpec spec = SmallModel();
  spec.tensors.push_back({.name = "z", .shape = {1, 3}});
  spec.tensors.push_back({.name = "after", .shape = {1, 3}});
  spec.tensors.push_back({.name = "q", .shape = {1, 3}});
  spec.operators.push_back({.code = 93, .inputs = {3}, .outputs = {4}});   // ZEROS_LIKE
  spec.operators.push_back(Add(3, 4, 5));                                  // of what failed
  spec.operators.push_back({.code = 104, .inputs = {3}, .outputs = {6}});  // CEIL
  spec.outputs = {5, 6};
  const absl::Status status = Translated(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("2 operators"));
  EXPECT_THAT(message, HasSubstr("operator 1 ZEROS_LIKE (\"y\" -> \"z\")"));
  EXPECT_THAT(message, HasSubstr("operator 3 CEIL (\"y\" -> \"q\")"));
  EXPECT_THAT(message, Not(HasSubstr("ADD")));
}

TEST_F(ModelTranslatorTest, ALongListOfErrorsIsCutShort) {
  ModelSpec spec = SmallModel();
  for (std::int32_t i = 0; i < 30; ++i) {
    spec.tensors.push_back({.name = "z", .shape = {1, 3}});
    spec.operators.push_back({.code = 93, .inputs = {3}, .outputs = {4 + i}});
  }
  ExpectError(spec, absl::StatusCode::kUnimplemented, "; and 10 more");
}

TEST_F(ModelTranslatorTest, ATensorIsComputedOnceAndBeforeItIsUsed) {
  ModelSpec spec = SmallModel();
  spec.operators.push_back(spec.operators[0]);
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "computed twice");
  spec = SmallModel();
  spec.operators[0].inputs[0] = 3;
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "neither a constant nor computed before");
  spec = SmallModel();
  spec.operators.clear();
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "no operator computes it");
  spec = SmallModel();
  spec.inputs = {0, 0};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "given twice");
}

TEST_F(ModelTranslatorTest, AResultHasTheTypeThatTheFileSays) {
  ModelSpec spec = SmallModel();
  spec.tensors[3].shape = {1, 4};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "is computed as [rows, 3]");
  spec = SmallModel();
  spec.tensors[3].type = testing::kInt32;
  ExpectError(spec, absl::StatusCode::kUnimplemented, "is computed as FP32");
}

TEST_F(ModelTranslatorTest, WeightsAndBiasFitTheirLayer) {
  ModelSpec spec = SmallModel();
  spec.tensors[2].data = Bytes<float>({1, 2});
  spec.tensors[2].shape = {2};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "wants FP32[3]");
  spec = testing::SmallIntegerModel(testing::kInt8);
  spec.tensors[1].scale = {1.0F, 2.0F};
  spec.tensors[1].zero_point = {0, 0};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "got 2 scales along dimension 0");
}

// Weights of int8 for activations of float32.
ModelSpec HybridModel(bool asymmetric) {
  ModelSpec spec = SmallModel();
  spec.tensors[1].type = testing::kInt8;
  spec.tensors[1].data = {1, 2, 3, 4, 251, 6};
  spec.tensors[1].scale = {0.5F};
  spec.tensors[1].zero_point = {0};
  spec.operators = {FullyConnected({0, 1, 2}, {3}, 1, asymmetric)};
  return spec;
}

TEST_F(ModelTranslatorTest, IntegerWeightsForFloatsQuantizeActivationsWhenTheyRun) {
  for (const bool asymmetric : {false, true}) {
    const auto graph = Translated(HybridModel(asymmetric));
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->nodes[0].op, asymmetric ? "DynamicQuantize" : "FullyConnected");
    ASSERT_EQ(layers_.size(), 1);
    EXPECT_EQ(layers_[0].mode, "int8");
    EXPECT_EQ(layers_[0].path, "y");
    ASSERT_EQ(layers_[0].variables.size(), 3);
    EXPECT_EQ(layers_[0].variables[2].scale_convention, "reciprocal");
    EXPECT_EQ(layers_[0].variables[2].tensor.as<float>()[0], 2.0F);
  }
}

TEST_F(ModelTranslatorTest, WeightsOfFourBitsAreBytes) {
  ModelSpec spec = HybridModel(false);
  spec.tensors[1].type = testing::kInt4;
  spec.tensors[1].data = {0x21, 0x43, 0x6B};
  ASSERT_TRUE(Translated(spec).ok());
  const ConstantTensor& kernel = layers_[0].variables[0].tensor;
  EXPECT_EQ(kernel.data_type(), DataType::kInt8);
  EXPECT_EQ(kernel.as<std::int8_t>()[1], 3);  // inputs by outputs
  EXPECT_EQ(kernel.as<std::int8_t>()[2], -5);
  spec.tensors[1].data = {0x21, 0x43};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "got 2 bytes of data");
  spec = testing::SmallIntegerModel(testing::kInt8);
  spec.tensors[0].type = testing::kInt4;
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants INT8, UINT8 or INT16");
}

TEST_F(ModelTranslatorTest, OtherIntegerWeightsForFloatsAreUnimplemented) {
  ModelSpec spec = HybridModel(false);
  spec.tensors[1].scale = {};
  spec.tensors[1].zero_point = {};
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants floats or INT8 with a scale");
  spec = HybridModel(false);
  spec.tensors[1].type = testing::kUint8;
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants floats or INT8 with a scale");
  spec = HybridModel(false);
  spec.tensors[1].scale = {1e-40F};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "wants one whose reciprocal is finite");
}

TEST_F(ModelTranslatorTest, OperatorsBehindOneThatFailsAreLookedAtToo) {
  ModelSpec spec = SmallModel();
  spec.tensors.push_back({.name = "w2", .shape = {1, 5}, .data = Bytes<float>({1, 2, 3, 4, 5})});
  spec.tensors.push_back({.name = "z", .shape = {1, 1}});
  spec.operators[0].code = 93;  // ZEROS_LIKE
  spec.operators.push_back(FullyConnected({3, 4}, {5}));
  spec.outputs = {5};
  const absl::Status status = Translated(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("operator 0 ZEROS_LIKE"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("operator 1 FULLY_CONNECTED"));
}

TEST_F(ModelTranslatorTest, ComputedConstantsHaveTheShapeThatTheFileSays) {
  ModelSpec spec = SmallModel();
  spec.tensors.push_back({.name = "half",
                          .shape = {3, 2},
                          .type = testing::kFloat16,
                          .data = std::vector<std::uint8_t>(12)});
  spec.tensors[1].data = {};
  spec.operators.insert(spec.operators.begin(), {.code = 6, .inputs = {4}, .outputs = {1}});
  EXPECT_TRUE(Translated(spec).ok());
  spec.tensors[1].shape = {3, 200};
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "is computed as FP32[3, 2]");
}

TEST_F(ModelTranslatorTest, AModelWithoutABatchIsUnimplemented) {
  ModelSpec spec = SmallModel();
  spec.tensors[0].shape = {};
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants a batch as dimension 0");
}

TEST_F(ModelTranslatorTest, AReshapeKeepsTheBatch) {
  ModelSpec spec = SmallModel();
  spec.tensors.push_back({.name = "shape",
                          .shape = {2},
                          .type = testing::kInt32,
                          .data = Bytes<std::int32_t>({3, 1})});
  spec.tensors.push_back({.name = "z", .shape = {3, 1}});
  spec.operators.push_back({.code = 22, .inputs = {3, 4}, .outputs = {5}});
  spec.outputs = {5};
  ExpectError(spec, absl::StatusCode::kUnimplemented, "wants the batch of 1 as dimension 0");
}

TEST_F(ModelTranslatorTest, AFileForSeveralRowsTakesAnyNumberOfThem) {
  ModelSpec spec = SmallModel();
  spec.tensors[0].shape = {4, 2};
  spec.tensors[3].shape = {4, 3};
  EXPECT_TRUE(Translated(spec).ok());
}

TEST_F(ModelTranslatorTest, OpenDimensionsAreSymbols) {
  ModelSpec spec;
  spec.tensors = {{.name = "x", .shape = {1, 1, 2}, .signature = {-1, -1, 2}},
                  {.name = "y", .shape = {1, 1, 2}, .signature = {-1, -1, 2}}};
  spec.operators = {{.code = 19, .inputs = {0}, .outputs = {1}}};  // RELU
  spec.inputs = {0};
  spec.outputs = {1};
  const auto graph = Translated(spec);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->symbol_names, (std::vector<std::string>{"rows", "length"}));
}

TEST_F(ModelTranslatorTest, ConstantsAreReadWithinABudget) {
  ModelSpec spec = SmallModel();
  for (std::int32_t i = 0; i < 20; ++i) {
    spec.tensors.push_back({.name = "z", .shape = {1, 3}});
    spec.operators.push_back(FullyConnected({0, 1, 2}, {4 + i}));
  }
  EXPECT_TRUE(Translated(spec).ok());
  EXPECT_EQ(Translated(spec, 500).status().code(), absl::StatusCode::kResourceExhausted);
}

// x [1, 3] with `pads` around its second dimension, as MIRROR_PAD `mode` has them.
ModelSpec MirrorPadModel(std::int8_t mode, std::vector<std::int32_t> pads) {
  const std::int32_t wide = 3 + pads[2] + pads[3];
  return {.tensors = {{.name = "x", .shape = {1, 3}},
                      {.name = "pads",
                       .shape = {2, 2},
                       .type = testing::kInt32,
                       .data = Bytes<std::int32_t>(pads)},
                      {.name = "y", .shape = {1, wide}}},
          .operators = {{.code = 100,
                         .inputs = {0, 1},
                         .outputs = {2},
                         .options_type = schema::BuiltinOptions_MirrorPadOptions,
                         .options =
                             [mode](flatbuffers::FlatBufferBuilder& builder) {
                               return schema::CreateMirrorPadOptions(builder, mode).Union();
                             }}},
          .inputs = {0},
          .outputs = {2}};
}

TEST_F(ModelTranslatorTest, ABorderThatMirrorsIsNoWiderThanWhatItMirrors) {
  for (const auto& [mode, name, most] :
       {std::tuple<std::int8_t, std::string, std::int32_t>{0, "reflect", 2}, {1, "symmetric", 3}}) {
    const auto graph = Translated(MirrorPadModel(mode, {0, 0, most, 1}));
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->nodes[0].op, "Pad");
    EXPECT_EQ(graph->nodes[0].String("mode", "").value(), name);
    for (const std::vector<std::int32_t>& pads : {std::vector<std::int32_t>{0, 0, most + 1, 0},
                                                  std::vector<std::int32_t>{0, 0, 0, most + 1}}) {
      ExpectError(MirrorPadModel(mode, pads), absl::StatusCode::kInvalidArgument,
                  absl::StrCat("wants at most ", most, " in dimension 1"));
    }
  }
  ExpectError(MirrorPadModel(2, {0, 0, 1, 1}), absl::StatusCode::kInvalidArgument,
              "got mode 2, wants 0 (REFLECT) or 1 (SYMMETRIC)");
  ExpectError(MirrorPadModel(0, {0, 1, 1, 1}), absl::StatusCode::kInvalidArgument,
              "wants 0 for the batch's axis");
  ModelSpec spec = MirrorPadModel(0, {0, 0, 1, 1});
  spec.operators[0].options_type = schema::BuiltinOptions_NONE;
  spec.operators[0].options = nullptr;
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "got no options of its kind");
}

}  // namespace
}  // namespace octet::tflite
