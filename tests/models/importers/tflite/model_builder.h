// SPDX-License-Identifier: Apache-2.0
// Writes small TensorFlow Lite files, good ones and such as contradict themselves.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/importers/tflite/schema_generated.h"

namespace octet::tflite::testing {

enum TensorTypeNumber : std::int8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kString = 5,
  kInt16 = 7,
  kInt4 = 17,
  kInt8 = 9,
};

struct TensorSpec {
  std::string name;
  std::vector<std::int32_t> shape;
  std::int8_t type = kFloat32;
  std::vector<std::uint8_t> data = {};  // of a constant
  std::vector<float> scale = {};
  std::vector<std::int64_t> zero_point = {};
  std::int32_t axis = 0;
  std::vector<std::int32_t> signature = {};
  std::optional<std::uint32_t> buffer = std::nullopt;  // else its own, or none
  bool is_variable = false;
};

struct OperatorSpec {
  std::int32_t code = 0;
  std::vector<std::int32_t> inputs = {};
  std::vector<std::int32_t> outputs = {};
  schema::BuiltinOptions options_type = schema::BuiltinOptions_NONE;
  std::function<flatbuffers::Offset<void>(flatbuffers::FlatBufferBuilder&)> options = nullptr;
  std::uint32_t code_offset = 0;  // added to the index of its operator code
  std::vector<std::int32_t> intermediates = {};
};

struct ModelSpec {
  std::vector<TensorSpec> tensors;
  std::vector<OperatorSpec> operators;
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> outputs;
  std::uint32_t version = 3;
};

template <typename T>
std::vector<std::uint8_t> Bytes(const std::vector<T>& elements) {
  std::vector<std::uint8_t> bytes(elements.size() * sizeof(T));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  return bytes;
}

inline std::vector<std::byte> Build(const ModelSpec& spec) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<schema::Buffer>> buffers = {schema::CreateBuffer(builder)};
  std::vector<flatbuffers::Offset<schema::Tensor>> tensors;
  for (const TensorSpec& tensor : spec.tensors) {
    std::uint32_t buffer = 0;
    if (!tensor.data.empty()) {
      buffer = static_cast<std::uint32_t>(buffers.size());
      builder.ForceVectorAlignment(tensor.data.size(), 1, 16);
      buffers.push_back(schema::CreateBuffer(builder, builder.CreateVector(tensor.data)));
    }
    flatbuffers::Offset<schema::QuantizationParameters> quantization;
    if (!tensor.scale.empty()) {
      const auto scale = builder.CreateVector(tensor.scale);
      const auto zero_point = builder.CreateVector(tensor.zero_point);
      quantization =
          schema::CreateQuantizationParameters(builder, scale, zero_point, 0, tensor.axis);
    }
    const auto shape = builder.CreateVector(tensor.shape);
    const auto name = builder.CreateString(tensor.name);
    const auto signature = tensor.signature.empty() ? 0 : builder.CreateVector(tensor.signature);
    tensors.push_back(schema::CreateTensor(builder, shape, tensor.type,
                                           tensor.buffer.value_or(buffer), name, quantization,
                                           tensor.is_variable, 0, signature));
  }
  std::vector<flatbuffers::Offset<schema::OperatorCode>> codes;
  std::vector<flatbuffers::Offset<schema::Operator>> operators;
  for (const OperatorSpec& op : spec.operators) {
    const auto index = static_cast<std::uint32_t>(codes.size()) + op.code_offset;
    const auto old_code = static_cast<std::int8_t>(std::min(op.code, 127));
    codes.push_back(schema::CreateOperatorCode(builder, old_code, 0, 1, op.code));
    const auto options = op.options ? op.options(builder) : flatbuffers::Offset<void>();
    const auto inputs = builder.CreateVector(op.inputs);
    const auto outputs = builder.CreateVector(op.outputs);
    const auto intermediates =
        op.intermediates.empty() ? 0 : builder.CreateVector(op.intermediates);
    operators.push_back(schema::CreateOperator(builder, index, inputs, outputs, op.options_type,
                                               options, intermediates));
  }
  const auto graph_tensors = builder.CreateVector(tensors);
  const auto graph_inputs = builder.CreateVector(spec.inputs);
  const auto graph_outputs = builder.CreateVector(spec.outputs);
  const auto graph_operators = builder.CreateVector(operators);
  const std::vector graphs = {
      schema::CreateSubGraph(builder, graph_tensors, graph_inputs, graph_outputs, graph_operators)};
  const auto model_codes = builder.CreateVector(codes);
  const auto model_graphs = builder.CreateVector(graphs);
  const auto model_buffers = builder.CreateVector(buffers);
  schema::FinishModelBuffer(builder, schema::CreateModel(builder, spec.version, model_codes,
                                                         model_graphs, model_buffers));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

// `asymmetric`: of activations that are quantized when the model runs.
inline OperatorSpec FullyConnected(std::vector<std::int32_t> inputs,
                                   std::vector<std::int32_t> outputs, std::int8_t activation = 0,
                                   bool asymmetric = false) {
  return {.code = 9,
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .options_type = schema::BuiltinOptions_FullyConnectedOptions,
          .options = [activation, asymmetric](flatbuffers::FlatBufferBuilder& builder) {
            return schema::CreateFullyConnectedOptions(builder, activation, 0, false, asymmetric)
                .Union();
          }};
}

inline OperatorSpec Add(std::int32_t a, std::int32_t b, std::int32_t output) {
  return {.code = 0,
          .inputs = {a, b},
          .outputs = {output},
          .options_type = schema::BuiltinOptions_AddOptions,
          .options = [](flatbuffers::FlatBufferBuilder& builder) {
            return schema::CreateAddOptions(builder).Union();
          }};
}

// y = relu(w x + b), for rows of two: w is [[1, 2], [3, 4], [-5, 6]], b [0.5, 0, 1].
inline ModelSpec SmallModel() {
  ModelSpec spec;
  spec.tensors = {{.name = "x", .shape = {1, 2}},
                  {.name = "w", .shape = {3, 2}, .data = Bytes<float>({1, 2, 3, 4, -5, 6})},
                  {.name = "b", .shape = {3}, .data = Bytes<float>({0.5F, 0.0F, 1.0F})},
                  {.name = "y", .shape = {1, 3}}};
  spec.operators = {FullyConnected({0, 1, 2}, {3}, 1)};
  spec.inputs = {0};
  spec.outputs = {3};
  return spec;
}

// The same in integers of `type`, all with scale 0.5: real numbers are half of the sums below, and
// zero points are 128 for uint8, but for the weights', which is 130.
inline ModelSpec SmallIntegerModel(std::int8_t type) {
  const bool is_uint8 = type == kUint8;
  const std::int64_t zero = is_uint8 ? 128 : 0;
  ModelSpec spec = SmallModel();
  std::vector<std::uint8_t> weights;
  for (const int w : {1, 2, 3, 4, -5, 6}) {
    weights.push_back(static_cast<std::uint8_t>(is_uint8 ? w + 130 : w));
  }
  for (TensorSpec& tensor : spec.tensors) {
    tensor.type = type;
    tensor.scale = {0.5F};
    tensor.zero_point = {zero};
  }
  spec.tensors[1].data = weights;
  spec.tensors[1].zero_point = {is_uint8 ? 130 : 0};
  spec.tensors[2].type = kInt32;
  spec.tensors[2].scale = {0.25F};
  spec.tensors[2].zero_point = {0};
  spec.tensors[2].data = Bytes<std::int32_t>({2, 0, 4});
  return spec;
}

// The same with activations of int16: int8 weights, a bias of int64.
inline ModelSpec SmallInt16Model() {
  ModelSpec spec = SmallIntegerModel(kInt8);
  spec.tensors[0].type = kInt16;
  spec.tensors[2].type = kInt64;
  spec.tensors[2].data = Bytes<std::int64_t>({2, 0, 4});
  spec.tensors[3].type = kInt16;
  return spec;
}

}  // namespace octet::tflite::testing
