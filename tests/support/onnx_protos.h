// SPDX-License-Identifier: Apache-2.0
// Nodes and tensors of an ONNX graph as its reader gives them, and nodes as short texts.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/importers/onnx/model_proto.h"

namespace octet::testing {

inline onnx::NodeProto ProtoNode(const std::string& op, std::vector<std::string> inputs,
                                 const std::string& output) {
  onnx::NodeProto node;
  node.name = output;
  node.op_type = op;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  return node;
}

inline onnx::AttributeProto ProtoInt(const std::string& name, std::int64_t value) {
  onnx::AttributeProto attribute;
  attribute.name = name;
  attribute.type = 2;
  attribute.i = value;
  return attribute;
}

// Float32; a scalar, a list, or of `dims`.
inline onnx::TensorProto ProtoFloats(const std::string& name, std::vector<float> values,
                                     std::vector<std::int64_t> dims = {}) {
  onnx::TensorProto tensor;
  tensor.name = name;
  tensor.data_type = 1;
  tensor.dims = std::move(dims);
  if (tensor.dims.empty() && values.size() > 1) {
    tensor.dims = {static_cast<std::int64_t>(values.size())};
  }
  tensor.float_data = std::move(values);
  return tensor;
}

inline onnx::TensorProto ProtoIntegers(const std::string& name, std::int64_t type,
                                       std::vector<std::int64_t> dims,
                                       std::vector<std::int64_t> values) {
  onnx::TensorProto tensor;
  tensor.name = name;
  tensor.data_type = type;
  tensor.dims = std::move(dims);
  tensor.integer_data = std::move(values);
  return tensor;
}

// "domain:Op(inputs)" of each node.
inline std::vector<std::string> NodeTexts(const std::vector<const onnx::NodeProto*>& nodes) {
  std::vector<std::string> texts;
  for (const onnx::NodeProto* const node : nodes) {
    std::string text = node->domain.empty() ? "" : node->domain + ":";
    text += node->op_type + "(";
    for (const std::string& input : node->inputs) text += input + " ";
    if (!node->inputs.empty()) text.pop_back();
    texts.push_back(text + ")");
  }
  return texts;
}

}  // namespace octet::testing
