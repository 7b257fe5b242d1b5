// SPDX-License-Identifier: Apache-2.0
// An ONNX model as its file says it, before anything of it is understood. The names are those of
// ONNX's own schema (onnx.proto), whose field numbers model_proto.cc has.
//
// All texts and tensors are views of the file's bytes.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet::onnx {

struct TensorProto {
  std::string name;
  std::int64_t data_type = 0;  // TensorProto.DataType
  std::vector<std::int64_t> dims;
  std::optional<absl::string_view> raw_data;
  std::vector<float> float_data;
  std::vector<std::int64_t> integer_data;  // int32_data, int64_data or uint64_data
  std::vector<double> double_data;
  bool is_external = false;
  std::map<std::string, std::string> external_data;  // "location", "offset", "length", ...
};

// AttributeProto.AttributeType, those that are read.
inline constexpr std::int64_t kFloatType = 1;
inline constexpr std::int64_t kIntType = 2;
inline constexpr std::int64_t kStringType = 3;
inline constexpr std::int64_t kTensorType = 4;
inline constexpr std::int64_t kFloatsType = 6;
inline constexpr std::int64_t kIntsType = 7;
inline constexpr std::int64_t kStringsType = 8;

struct AttributeProto {
  std::string name;
  std::int64_t type = 0;  // kFloatType, ...
  float f = 0.0F;
  std::int64_t i = 0;
  std::string s;
  std::optional<TensorProto> t;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string> strings;
  bool has_graph = false;     // one or several
  bool is_reference = false;  // to an attribute of the function around it
};

// Attributes for nodes that the importer makes.
AttributeProto FloatAttributeOf(absl::string_view name, float value);
AttributeProto IntAttributeOf(absl::string_view name, std::int64_t value);
AttributeProto IntsAttributeOf(absl::string_view name, std::vector<std::int64_t> values);

struct NodeProto {
  std::string name;
  std::string op_type;
  std::string domain;
  std::vector<std::string> inputs;   // "" where an optional one is absent
  std::vector<std::string> outputs;  // "" where one is not wanted
  std::vector<AttributeProto> attributes;
};

// A dimension: its size, its name, or neither.
struct DimensionProto {
  std::optional<std::int64_t> value;
  std::string param;
};

struct ValueInfoProto {
  std::string name;
  std::int64_t element_type = 0;  // 0: not a tensor, or not said
  bool is_tensor = false;
  std::optional<std::vector<DimensionProto>> shape;
};

struct GraphProto {
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfoProto> inputs;
  std::vector<ValueInfoProto> outputs;
  bool has_sparse_initializers = false;
};

struct ModelProto {
  std::int64_t ir_version = 0;
  std::string producer_name;
  std::string producer_version;
  std::map<std::string, std::int64_t> opsets;  // by domain; "" is ONNX's own
  std::optional<GraphProto> graph;
  std::vector<std::string> functions;  // names of those that the model brings along
};

// What `bytes` say. Returns INVALID_ARGUMENT for what is no model, RESOURCE_EXHAUSTED for one of
// more parts than any real model has: memory is bounded by a small multiple of the file, whatever
// it says.
absl::StatusOr<ModelProto> ParseModelProto(absl::string_view bytes);

// The name of a TensorProto.DataType: "FLOAT", "INT4", "type 77".
std::string ElementTypeName(std::int64_t type);

}  // namespace octet::onnx
