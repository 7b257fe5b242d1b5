// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/node_protos.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace octet::onnx {

namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1, kInt8 = 3;

}  // namespace

std::string InputOf(const NodeProto& node, std::size_t index) {
  return index < node.inputs.size() ? node.inputs[index] : std::string();
}

bool HasAttribute(const NodeProto& node, absl::string_view name) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [name](const AttributeProto& attribute) { return attribute.name == name; });
}

std::int64_t IntAttribute(const NodeProto& node, absl::string_view name, std::int64_t fallback) {
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.name == name) return attribute.i;
  }
  return fallback;
}

bool IsOneOrAbsent(const NodeProto& node, absl::string_view name) {
  return std::all_of(node.attributes.begin(), node.attributes.end(),
                     [name](const AttributeProto& attribute) {
                       return attribute.name != name || attribute.f == 1.0F;
                     });
}

bool ExchangesTwoAxes(const NodeProto& node) {
  if (node.op_type != "Transpose" || !node.domain.empty() || node.inputs.size() != 1) return false;
  return std::all_of(
      node.attributes.begin(), node.attributes.end(), [](const AttributeProto& attribute) {
        return attribute.name != "perm" || attribute.ints == std::vector<std::int64_t>{1, 0};
      });
}

NodeProto ConstantNode(TensorProto tensor) {
  NodeProto node;
  node.op_type = "Constant";
  AttributeProto value;
  value.name = "value";
  value.type = kTensorType;
  value.t = std::move(tensor);
  node.attributes = {std::move(value)};
  return node;
}

bool IsOne(const TensorProto& tensor) {
  if (tensor.dims.size() > 8 || (tensor.raw_data.has_value() && tensor.raw_data->size() > 8) ||
      tensor.float_data.size() > 1 || tensor.integer_data.size() > 1) {
    return false;
  }
  return std::all_of(tensor.dims.begin(), tensor.dims.end(), [](auto dim) { return dim == 1; });
}

std::optional<std::vector<float>> FloatsOf(const TensorProto& tensor) {
  if (tensor.data_type != kFloat || tensor.is_external) return std::nullopt;
  if (!tensor.raw_data.has_value()) {
    return tensor.float_data.size() > kMostScales ? std::nullopt : std::optional(tensor.float_data);
  }
  if (tensor.raw_data->size() > kMostScales * sizeof(float)) return std::nullopt;
  std::vector<float> values(tensor.raw_data->size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw_data->data(), values.size() * sizeof(float));
  }
  return values;
}

std::optional<std::int64_t> ByteOf(const TensorProto& tensor) {
  if (!IsOne(tensor) || tensor.is_external) return std::nullopt;
  if (!tensor.raw_data.has_value()) {
    if (tensor.integer_data.size() != 1) return std::nullopt;
    return tensor.integer_data[0];
  }
  if (tensor.raw_data->size() != 1) return std::nullopt;
  const auto byte = static_cast<std::uint8_t>(tensor.raw_data->front());
  return tensor.data_type == kInt8 ? static_cast<std::int8_t>(byte) : std::int64_t{byte};
}

bool IsSame(const TensorProto& a, const TensorProto& b) {
  return a.data_type == b.data_type && !a.is_external && !b.is_external &&
         a.raw_data == b.raw_data && a.float_data == b.float_data &&
         a.integer_data == b.integer_data && IsOne(a) == IsOne(b);
}

}  // namespace octet::onnx
