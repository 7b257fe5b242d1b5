// SPDX-License-Identifier: Apache-2.0
// What an LSTM computes: tests/models/importers/tflite_peer_test.py.

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
                       constexpr std::int8_t kTanh = 4;
                       return schema::CreateUnidirectionalSequenceLSTMOptions(
                                  builder, kTanh, options.cell_clip, 0.0F, options.time_major)
                           .Union();
                     }}};
  spec.inputs = {0};
  spec.outputs = {1};
  return spec;
}

class RecurrentOperatorsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Graph> Translated(const ModelSpec& spec) {
    bytes_ = Build(spec);
    const auto file = ReadModelFile(bytes_);
    if (!file.ok()) return file.status();
    Translation translation(operators_, *file, Profile(""), std::int64_t{1} << 30);
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

}  // namespace
}  // namespace octet::tflite
