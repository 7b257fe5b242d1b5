// SPDX-License-Identifier: Apache-2.0
// Writes ONNX models, good ones and others, field by field.

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace octet::testing {

// A message in protobuf's wire format.
class WireMessage {
 public:
  WireMessage& Number(std::uint32_t field, std::uint64_t value) {
    Varint(field << 3);
    Varint(value);
    return *this;
  }
  WireMessage& Bytes(std::uint32_t field, const std::string& bytes) {
    Varint(field << 3 | 2);
    Varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  WireMessage& Message(std::uint32_t field, const WireMessage& message) {
    return Bytes(field, message.bytes_);
  }
  WireMessage& Real(std::uint32_t field, float value) {
    Varint(field << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift);
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

inline constexpr std::uint64_t kOnnxFloat = 1;
inline constexpr std::uint64_t kOnnxInt64 = 7;

// TensorProto of float32, its elements as raw bytes.
inline WireMessage OnnxTensor(const std::string& name, const std::vector<std::int64_t>& dims,
                              const std::vector<float>& elements) {
  WireMessage tensor;
  for (const std::int64_t dim : dims) tensor.Number(1, static_cast<std::uint64_t>(dim));
  std::string raw(elements.size() * sizeof(float), '\0');
  if (!raw.empty()) std::memcpy(raw.data(), elements.data(), raw.size());
  return tensor.Number(2, kOnnxFloat).Bytes(8, name).Bytes(9, raw);
}
inline WireMessage OnnxNumbers(const std::string& name, const std::vector<std::int64_t>& numbers) {
  WireMessage tensor;
  tensor.Number(1, numbers.size()).Number(2, kOnnxInt64).Bytes(8, name);
  for (const std::int64_t number : numbers) tensor.Number(7, static_cast<std::uint64_t>(number));
  return tensor;
}

inline WireMessage OnnxInt(const std::string& name, std::int64_t value) {
  return WireMessage().Bytes(1, name).Number(3, static_cast<std::uint64_t>(value)).Number(20, 2);
}
inline WireMessage OnnxInts(const std::string& name, const std::vector<std::int64_t>& values) {
  WireMessage attribute;
  attribute.Bytes(1, name).Number(20, 7);
  for (const std::int64_t value : values) attribute.Number(8, static_cast<std::uint64_t>(value));
  return attribute;
}

inline WireMessage OnnxNode(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs,
                            const std::vector<WireMessage>& attributes = {}) {
  WireMessage node;
  for (const std::string& input : inputs) node.Bytes(1, input);
  for (const std::string& output : outputs) node.Bytes(2, output);
  node.Bytes(3, op + "_" + (outputs.empty() ? "" : outputs[0])).Bytes(4, op);
  for (const WireMessage& attribute : attributes) node.Message(5, attribute);
  return node;
}

// ValueInfoProto of a tensor; a dimension of 0 is "n".
inline WireMessage OnnxValue(const std::string& name, const std::vector<std::int64_t>& dims,
                             std::uint64_t type = kOnnxFloat) {
  WireMessage shape;
  for (const std::int64_t dim : dims) {
    WireMessage dimension;
    if (dim == 0) {
      dimension.Bytes(2, "n");
    } else {
      dimension.Number(1, static_cast<std::uint64_t>(dim));
    }
    shape.Message(1, dimension);
  }
  const WireMessage tensor = WireMessage().Number(1, type).Message(2, shape);
  return WireMessage().Bytes(1, name).Message(2, WireMessage().Message(1, tensor));
}

struct OnnxGraph {
  std::vector<WireMessage> nodes;
  std::vector<WireMessage> initializers;
  std::vector<WireMessage> inputs;
  std::vector<WireMessage> outputs;
};

// ModelProto.
inline std::string OnnxModel(const OnnxGraph& parts, std::uint64_t opset = 17) {
  WireMessage graph;
  for (const WireMessage& node : parts.nodes) graph.Message(1, node);
  for (const WireMessage& tensor : parts.initializers) graph.Message(5, tensor);
  for (const WireMessage& input : parts.inputs) graph.Message(11, input);
  for (const WireMessage& output : parts.outputs) graph.Message(12, output);
  return WireMessage()
      .Number(1, 8)
      .Bytes(2, "a test")
      .Message(7, graph)
      .Message(8, WireMessage().Bytes(1, "").Number(2, opset))
      .bytes();
}

}  // namespace octet::testing
