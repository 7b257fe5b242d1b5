// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/model_proto.h"

#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/onnx/wire_reader.h"

namespace octet::onnx {

namespace {

// Parts of all kinds; a part takes a few hundred bytes in memory and at least two in the file.
constexpr std::size_t kMaxParts = 1 << 21;
constexpr std::size_t kMaxDimensions = 64;
constexpr std::size_t kMaxTextSize = 1 << 16;

// Of a character of three or four bytes: no over-long form, no surrogate, nothing beyond Unicode.
bool IsSecondByte(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second < 0xa0;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second < 0x90;
    default:
      return true;
  }
}

// Whether `text` is UTF-8, as every name in a bundle must be.
bool IsUtf8(absl::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    if (size > 2 && !IsSecondByte(lead, static_cast<unsigned char>(text[i + 1]))) return false;
    i += size;
  }
  return true;
}

// Reads one model; the messages within messages are of a fixed, small depth, because graphs within
// nodes are noticed and not read.
class Parser {
 public:
  absl::StatusOr<ModelProto> Model(absl::string_view bytes);

 private:
  absl::Status CountPart() {
    if (++num_parts_ <= kMaxParts) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("the model has more than ", kMaxParts, " parts"));
  }

  absl::StatusOr<std::string> Text(const WireField& field) {
    RETURN_IF_ERROR(CountPart());
    if (field.bytes.size() > kMaxTextSize) {
      return absl::ResourceExhaustedError(absl::StrCat("a name or text has ", field.bytes.size(),
                                                       " bytes, wants at most ", kMaxTextSize));
    }
    if (!IsUtf8(field.bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a name is ", Quoted(field.bytes), ", which is not UTF-8"));
    }
    return std::string(field.bytes);
  }

  // Walks over `bytes` and hands each field to `take`, which returns a Status.
  template <typename Take>
  static absl::Status Each(absl::string_view bytes, Take take) {
    WireReader reader(bytes);
    WireField field;
    while (reader.Next(field)) RETURN_IF_ERROR(take(field));
    return reader.status();
  }

  template <typename T>
  static absl::Status Assign(absl::StatusOr<T> value, T& to) {
    RETURN_IF_ERROR(value.status());
    to = *std::move(value);
    return absl::OkStatus();
  }
  template <typename T>
  static absl::Status Append(absl::StatusOr<T> value, std::vector<T>& to) {
    RETURN_IF_ERROR(value.status());
    to.push_back(*std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<std::pair<std::string, std::string>> Entry(absl::string_view bytes);
  absl::StatusOr<TensorProto> Tensor(absl::string_view bytes);
  absl::StatusOr<AttributeProto> Attribute(absl::string_view bytes);
  absl::StatusOr<NodeProto> Node(absl::string_view bytes);
  absl::StatusOr<DimensionProto> Dimension(absl::string_view bytes);
  absl::StatusOr<ValueInfoProto> ValueInfo(absl::string_view bytes);
  absl::Status TensorTypeOf(absl::string_view bytes, ValueInfoProto& info);
  absl::StatusOr<GraphProto> Graph(absl::string_view bytes);

  std::size_t num_parts_ = 0;
};

// StringStringEntryProto: key 1, value 2.
absl::StatusOr<std::pair<std::string, std::string>> Parser::Entry(absl::string_view bytes) {
  std::pair<std::string, std::string> entry;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    if (field.number == 1) return Assign(Text(field), entry.first);
    if (field.number == 2) return Assign(Text(field), entry.second);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(read);
  return entry;
}

absl::StatusOr<TensorProto> Parser::Tensor(absl::string_view bytes) {
  RETURN_IF_ERROR(CountPart());
  TensorProto tensor;
  bool has_segment = false;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    switch (field.number) {
      case 1:  // dims
        RETURN_IF_ERROR(AppendIntegers(field, tensor.dims));
        if (tensor.dims.size() <= kMaxDimensions) return absl::OkStatus();
        return absl::InvalidArgumentError(absl::StrCat(
            "a tensor has ", tensor.dims.size(), " dimensions, wants at most ", kMaxDimensions));
      case 2:
        tensor.data_type = field.integer();
        return absl::OkStatus();
      case 3:
        has_segment = true;
        return absl::OkStatus();
      case 4:
        return AppendFloats(field, tensor.float_data);
      case 5:   // int32_data
      case 7:   // int64_data
      case 11:  // uint64_data
        return AppendIntegers(field, tensor.integer_data);
      case 8:
        return Assign(Text(field), tensor.name);
      case 9:
        tensor.raw_data = field.bytes;
        return absl::OkStatus();
      case 10:
        return AppendDoubles(field, tensor.double_data);
      case 13: {
        ASSIGN_OR_RETURN(auto entry, Entry(field.bytes));
        RETURN_IF_ERROR(CountPart());
        if (!tensor.external_data.insert(std::move(entry)).second) {
          return absl::InvalidArgumentError(absl::StrCat(
              "tensor ", Quoted(tensor.name), ": its external data says something twice"));
        }
        return absl::OkStatus();
      }
      case 14:  // data_location: 1 is EXTERNAL
        tensor.is_external = field.bits == 1;
        return absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  });
  RETURN_IF_ERROR(read);
  if (has_segment) {
    return absl::UnimplementedError(
        absl::StrCat("tensor ", Quoted(tensor.name), " is stored in segments"));
  }
  return tensor;
}

absl::StatusOr<AttributeProto> Parser::Attribute(absl::string_view bytes) {
  RETURN_IF_ERROR(CountPart());
  AttributeProto attribute;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    switch (field.number) {
      case 1:
        return Assign(Text(field), attribute.name);
      case 2:
        attribute.f = field.real();
        return absl::OkStatus();
      case 3:
        attribute.i = field.integer();
        return absl::OkStatus();
      case 4:
        return Assign(Text(field), attribute.s);
      case 5: {
        ASSIGN_OR_RETURN(attribute.t, Tensor(field.bytes));
        return absl::OkStatus();
      }
      case 6:   // g
      case 11:  // graphs
        attribute.has_graph = true;
        return absl::OkStatus();
      case 7:
        return AppendFloats(field, attribute.floats);
      case 8:
        return AppendIntegers(field, attribute.ints);
      case 9:
        return Append(Text(field), attribute.strings);
      case 20:
        attribute.type = field.integer();
        return absl::OkStatus();
      case 21:
        attribute.is_reference = true;
        return absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  });
  RETURN_IF_ERROR(read);
  return attribute;
}

absl::StatusOr<NodeProto> Parser::Node(absl::string_view bytes) {
  RETURN_IF_ERROR(CountPart());
  NodeProto node;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    switch (field.number) {
      case 1:
        return Append(Text(field), node.inputs);
      case 2:
        return Append(Text(field), node.outputs);
      case 3:
        return Assign(Text(field), node.name);
      case 4:
        return Assign(Text(field), node.op_type);
      case 5:
        return Append(Attribute(field.bytes), node.attributes);
      case 7:
        return Assign(Text(field), node.domain);
      default:
        return absl::OkStatus();
    }
  });
  RETURN_IF_ERROR(read);
  if (node.domain == "ai.onnx") node.domain.clear();
  // ONNX Runtime's own two, from before ONNX had them for every type, mean the same.
  if (node.domain == "com.microsoft" &&
      (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear")) {
    node.domain.clear();
  }
  return node;
}

// TensorShapeProto.Dimension: dim_value 1, dim_param 2.
absl::StatusOr<DimensionProto> Parser::Dimension(absl::string_view bytes) {
  RETURN_IF_ERROR(CountPart());
  DimensionProto dimension;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    if (field.number == 1) dimension.value = field.integer();
    if (field.number == 2) return Assign(Text(field), dimension.param);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(read);
  return dimension;
}

// TypeProto.Tensor: elem_type 1, shape 2 (TensorShapeProto: dim 1).
absl::Status Parser::TensorTypeOf(absl::string_view bytes, ValueInfoProto& info) {
  info.is_tensor = true;
  return Each(bytes, [&](const WireField& field) -> absl::Status {
    if (field.number == 1) info.element_type = field.integer();
    if (field.number != 2) return absl::OkStatus();
    info.shape.emplace();
    return Each(field.bytes, [&](const WireField& dimension) -> absl::Status {
      if (dimension.number != 1) return absl::OkStatus();
      if (info.shape->size() >= kMaxDimensions) {
        return absl::InvalidArgumentError(absl::StrCat(
            "value ", Quoted(info.name), " has more than ", kMaxDimensions, " dimensions"));
      }
      return Append(Dimension(dimension.bytes), *info.shape);
    });
  });
}

// ValueInfoProto: name 1, type 2 (TypeProto: tensor_type 1).
absl::StatusOr<ValueInfoProto> Parser::ValueInfo(absl::string_view bytes) {
  RETURN_IF_ERROR(CountPart());
  ValueInfoProto info;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    if (field.number == 1) return Assign(Text(field), info.name);
    if (field.number != 2) return absl::OkStatus();
    return Each(field.bytes, [&](const WireField& type) -> absl::Status {
      return type.number == 1 ? TensorTypeOf(type.bytes, info) : absl::OkStatus();
    });
  });
  RETURN_IF_ERROR(read);
  return info;
}

absl::StatusOr<GraphProto> Parser::Graph(absl::string_view bytes) {
  GraphProto graph;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    switch (field.number) {
      case 1:
        return Append(Node(field.bytes), graph.nodes);
      case 5:
        return Append(Tensor(field.bytes), graph.initializers);
      case 11:
        return Append(ValueInfo(field.bytes), graph.inputs);
      case 12:
        return Append(ValueInfo(field.bytes), graph.outputs);
      case 15:
        graph.has_sparse_initializers = true;
        return absl::OkStatus();
      default:  // value_info (13) says nothing that the operators do not
        return absl::OkStatus();
    }
  });
  RETURN_IF_ERROR(read);
  return graph;
}

absl::StatusOr<ModelProto> Parser::Model(absl::string_view bytes) {
  ModelProto model;
  const absl::Status read = Each(bytes, [&](const WireField& field) -> absl::Status {
    switch (field.number) {
      case 1:
        model.ir_version = field.integer();
        return absl::OkStatus();
      case 2:
        return Assign(Text(field), model.producer_name);
      case 3:
        return Assign(Text(field), model.producer_version);
      case 7: {
        if (model.graph.has_value()) {
          return absl::InvalidArgumentError("the model has two graphs");
        }
        ASSIGN_OR_RETURN(model.graph, Graph(field.bytes));
        return absl::OkStatus();
      }
      case 8: {  // OperatorSetIdProto: domain 1, version 2
        std::string domain;
        std::int64_t version = 0;
        RETURN_IF_ERROR(CountPart());
        RETURN_IF_ERROR(Each(field.bytes, [&](const WireField& part) -> absl::Status {
          if (part.number == 1) return Assign(Text(part), domain);
          if (part.number == 2) version = part.integer();
          return absl::OkStatus();
        }));
        model.opsets[domain == "ai.onnx" ? "" : domain] = version;
        return absl::OkStatus();
      }
      case 25: {  // FunctionProto: name 1
        RETURN_IF_ERROR(CountPart());
        std::string name;
        RETURN_IF_ERROR(Each(field.bytes, [&](const WireField& part) -> absl::Status {
          return part.number == 1 ? Assign(Text(part), name) : absl::OkStatus();
        }));
        model.functions.push_back(std::move(name));
        return absl::OkStatus();
      }
      default:
        return absl::OkStatus();
    }
  });
  RETURN_IF_ERROR(read);
  return model;
}

}  // namespace

AttributeProto FloatAttributeOf(absl::string_view name, float value) {
  AttributeProto attribute;
  attribute.name = std::string(name);
  attribute.type = kFloatType;
  attribute.f = value;
  return attribute;
}

AttributeProto IntAttributeOf(absl::string_view name, std::int64_t value) {
  AttributeProto attribute;
  attribute.name = std::string(name);
  attribute.type = kIntType;
  attribute.i = value;
  return attribute;
}

AttributeProto IntsAttributeOf(absl::string_view name, std::vector<std::int64_t> values) {
  AttributeProto attribute;
  attribute.name = std::string(name);
  attribute.type = kIntsType;
  attribute.ints = std::move(values);
  return attribute;
}

absl::StatusOr<ModelProto> ParseModelProto(absl::string_view bytes) {
  return Parser().Model(bytes);
}

std::string ElementTypeName(std::int64_t type) {
  constexpr std::array<absl::string_view, 27> kNames = {
      "UNDEFINED",      "FLOAT",    "UINT8",        "INT8",           "UINT16",
      "INT16",          "INT32",    "INT64",        "STRING",         "BOOL",
      "FLOAT16",        "DOUBLE",   "UINT32",       "UINT64",         "COMPLEX64",
      "COMPLEX128",     "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2",
      "FLOAT8E5M2FNUZ", "UINT4",    "INT4",         "FLOAT4E2M1",     "FLOAT8E8M0",
      "UINT2",          "INT2"};
  if (type >= 0 && static_cast<std::size_t>(type) < kNames.size()) {
    return std::string(kNames.at(static_cast<std::size_t>(type)));
  }
  return absl::StrCat("type ", type);
}

}  // namespace octet::onnx
