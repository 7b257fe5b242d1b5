// SPDX-License-Identifier: Apache-2.0
// Nodes of a file and its small tensors, read and written for passes over them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "models/importers/onnx/model_proto.h"

namespace octet::onnx {

// "" where it is absent.
std::string InputOf(const NodeProto& node, std::size_t index);
bool HasAttribute(const NodeProto& node, absl::string_view name);
std::int64_t IntAttribute(const NodeProto& node, absl::string_view name, std::int64_t fallback);
// Whether attribute `name`, a number, is 1 or absent.
bool IsOneOrAbsent(const NodeProto& node, absl::string_view name);
// Whether the node is a Transpose of matrices.
bool ExchangesTwoAxes(const NodeProto& node);
// A node `Constant` without a name.
NodeProto ConstantNode(TensorProto tensor);

// The most floats that FloatsOf reads; of more there is nothing.
inline constexpr std::size_t kMostScales = std::size_t{1} << 16;

// Of one element, whatever else it holds.
bool IsOne(const TensorProto& tensor);
// The floats of a tensor whose bytes are in the model.
std::optional<std::vector<float>> FloatsOf(const TensorProto& tensor);
// The only element of a tensor of bytes.
std::optional<std::int64_t> ByteOf(const TensorProto& tensor);
// Equal, as far as can be seen without a file beside the model.
bool IsSame(const TensorProto& a, const TensorProto& b);

}  // namespace octet::onnx
