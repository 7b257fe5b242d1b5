// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

template <typename T>
absl::StatusOr<T> Get(const Node& node, absl::string_view key, T fallback,
                      absl::string_view wanted) {
  const auto found = node.attributes.find(std::string(key));
  if (found == node.attributes.end()) return fallback;
  if (const T* const value = std::get_if<T>(&found->second)) return *value;
  return absl::InvalidArgumentError(absl::StrCat(node.op, " \"", node.name, "\": attribute \"", key,
                                                 "\" has the wrong type, wants ", wanted));
}

}  // namespace

absl::StatusOr<std::int64_t> Node::Int(absl::string_view key, std::int64_t fallback) const {
  return Get<std::int64_t>(*this, key, fallback, "an integer");
}

absl::StatusOr<double> Node::Float(absl::string_view key, double fallback) const {
  const auto found = attributes.find(std::string(key));
  if (found != attributes.end()) {
    // A whole number is a number.
    if (const auto* const value = std::get_if<std::int64_t>(&found->second)) {
      return static_cast<double>(*value);
    }
  }
  return Get<double>(*this, key, fallback, "a number");
}

absl::StatusOr<std::string> Node::String(absl::string_view key, absl::string_view fallback) const {
  return Get<std::string>(*this, key, std::string(fallback), "a string");
}

absl::StatusOr<std::vector<std::int64_t>> Node::Ints(absl::string_view key,
                                                     std::vector<std::int64_t> fallback) const {
  return Get<std::vector<std::int64_t>>(*this, key, std::move(fallback), "a list of integers");
}

std::string StringOr(const Node& node, absl::string_view key, absl::string_view fallback) {
  return node.String(key, fallback).value_or(std::string(fallback));
}

ValueId Graph::AddValue(std::string name, TensorType type) {
  values.push_back({.name = std::move(name), .type = std::move(type), .constant = std::nullopt});
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Graph::AddConstant(std::string name, ConstantTensor tensor) {
  TensorType type{.data_type = tensor.data_type(),
                  .shape = ToShape(tensor.dims()),
                  .quantization = std::nullopt};
  values.push_back(
      {.name = std::move(name), .type = std::move(type), .constant = std::move(tensor)});
  return static_cast<ValueId>(values.size()) - 1;
}

}  // namespace octet
