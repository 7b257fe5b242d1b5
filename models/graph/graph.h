// SPDX-License-Identifier: Apache-2.0
// A model's computation: nodes that use operators, and the values between them. docs/operators.md
// lists the operators with their inputs and attributes.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/tensor/tensor.h"

namespace octet {

// Index of a value in Graph::values.
using ValueId = std::int32_t;
// Stands in Node::inputs for an optional input that is not given.
inline constexpr ValueId kNoValue = -1;

using Attribute =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

// One tensor of the graph: an input, a constant, or what a node computes.
struct Value {
  std::string name;  // unique in the graph, not empty
  TensorType type;
  std::optional<ConstantTensor> constant;  // set: a weight
};

// One use of an operator.
struct Node {
  std::string name;  // unique in the graph; the layer's path where a node stands for a layer
  std::string op;    // the operator's name
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  // Ordered, so that a graph is written the same way every time.
  std::map<std::string, Attribute> attributes;

  [[nodiscard]] bool HasInput(std::size_t index) const {
    return index < inputs.size() && inputs[index] != kNoValue;
  }
  // The attribute called `key`, or `fallback` where it is absent. Return INVALID_ARGUMENT naming
  // the node and the key where it has another type.
  [[nodiscard]] absl::StatusOr<std::int64_t> Int(absl::string_view key,
                                                 std::int64_t fallback) const;
  [[nodiscard]] absl::StatusOr<double> Float(absl::string_view key, double fallback) const;
  [[nodiscard]] absl::StatusOr<std::string> String(absl::string_view key,
                                                   absl::string_view fallback) const;
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Ints(
      absl::string_view key, std::vector<std::int64_t> fallback) const;
};

// The string attribute called `key`, or `fallback` where it is absent or of another type: for what
// rewrites a graph whose types were verified.
std::string StringOr(const Node& node, absl::string_view key, absl::string_view fallback);

// A computation. Plain data: what reads or rewrites one must call VerifyGraph (graph/verify.h)
// before it is trusted.
struct Graph {
  // Names of the open dimensions, by Symbol::index; symbol_names[0] is "rows".
  std::vector<std::string> symbol_names = {"rows"};
  std::vector<Value> values;
  std::vector<Node> nodes;  // in topological order
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  // Append and return the id of a new value.
  ValueId AddValue(std::string name, TensorType type);
  ValueId AddConstant(std::string name, ConstantTensor tensor);
};

}  // namespace octet
