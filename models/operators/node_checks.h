// SPDX-License-Identifier: Apache-2.0
// Checks of a node's inputs and attributes with uniform messages. A type rule is the gate for
// hostile graphs, so every operator begins with these.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/graph/graph.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet {

// The most dimensions that an operator's loops take.
inline constexpr std::size_t kMaxRank = 8;

// INVALID_ARGUMENT and UNIMPLEMENTED: `Conv2d "features/conv1": ` and the concatenated `parts`.
template <typename... Parts>
absl::Status InvalidNode(const Node& node, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(node.op, " \"", node.name, "\": ", parts...));
}
template <typename... Parts>
absl::Status UnimplementedNode(const Node& node, const Parts&... parts) {
  return absl::UnimplementedError(absl::StrCat(node.op, " \"", node.name, "\": ", parts...));
}
// `status` with the node in front of its message.
absl::Status WithNode(const Node& node, const absl::Status& status);

// What a type rule is given, with questions about it. Borrows everything for the length of a call.
class NodeInputs {
 public:
  NodeInputs(const Node& node, std::span<const TensorType> types,
             std::span<const ConstantTensor* const> constants)
      : node_(node), types_(types), constants_(constants) {}

  // Inputs from `at_least` (all of them given) to `at_most`; spans of one length; outputs as said.
  [[nodiscard]] absl::Status CheckCounts(std::size_t at_least, std::size_t at_most,
                                         std::size_t outputs_at_least = 1,
                                         std::size_t outputs_at_most = 1) const;

  [[nodiscard]] bool Has(std::size_t index) const {
    return index < types_.size() && node_.HasInput(index);
  }
  [[nodiscard]] const TensorType& type(std::size_t index) const { return types_[index]; }
  [[nodiscard]] const Shape& shape(std::size_t index) const { return types_[index].shape; }
  [[nodiscard]] std::size_t rank(std::size_t index) const { return types_[index].shape.size(); }
  [[nodiscard]] const ConstantTensor* constant(std::size_t index) const {
    return index < constants_.size() ? constants_[index] : nullptr;
  }

  // The input called `name` in messages has one of these datatypes.
  [[nodiscard]] absl::Status CheckDataType(std::size_t index, absl::string_view name,
                                           std::initializer_list<DataType> wanted) const;
  // It has between `at_least` and `at_most` dimensions.
  [[nodiscard]] absl::Status CheckRank(std::size_t index, absl::string_view name,
                                       std::size_t at_least, std::size_t at_most = kMaxRank) const;
  // It is a constant.
  [[nodiscard]] absl::Status CheckConstant(std::size_t index, absl::string_view name) const;
  // It is a constant of this type and shape; float32 elements are finite.
  [[nodiscard]] absl::Status CheckConstant(std::size_t index, absl::string_view name,
                                           DataType data_type,
                                           std::span<const std::int64_t> dims) const;
  // It is a constant as above and every element is a finite float32 above 0.
  [[nodiscard]] absl::Status CheckScale(std::size_t index, absl::string_view name,
                                        std::span<const std::int64_t> dims) const;

 private:
  const Node& node_;
  std::span<const TensorType> types_;
  std::span<const ConstantTensor* const> constants_;
};

// The elements of a float32 constant, which may lie unaligned.
std::vector<float> FloatElements(const ConstantTensor& constant);

// Attribute `key`, an integer of at least `at_least` and at most 2^31 - 1.
absl::StatusOr<std::int64_t> IntAttribute(const Node& node, absl::string_view key,
                                          std::int64_t fallback, std::int64_t at_least);
// 0 or 1.
absl::StatusOr<bool> FlagAttribute(const Node& node, absl::string_view key, bool fallback);
// Finite as a float32.
absl::StatusOr<float> FloatAttribute(const Node& node, absl::string_view key, double fallback);
// Finite, and above 0 as a float32.
absl::StatusOr<float> PositiveAttribute(const Node& node, absl::string_view key, double fallback);
// Exactly `count` integers from `at_least` to 2^31 - 1.
absl::StatusOr<std::vector<std::int64_t>> IntsAttribute(const Node& node, absl::string_view key,
                                                        std::vector<std::int64_t> fallback,
                                                        std::size_t count, std::int64_t at_least);
// One of `names`.
absl::StatusOr<std::string> NameAttribute(const Node& node, absl::string_view key,
                                          absl::string_view fallback,
                                          std::initializer_list<absl::string_view> names);

// `axis` counted from the end where it is negative; in [at_least, rank).
absl::StatusOr<std::size_t> NormalizedAxis(const Node& node, std::int64_t axis, std::size_t rank,
                                           std::size_t at_least = 0);
// The same for the attribute `key`, -1 where it is absent.
absl::StatusOr<std::size_t> AxisAttribute(const Node& node, absl::string_view key, std::size_t rank,
                                          std::size_t at_least = 0);
// Whether the attribute `axis` is the last one.
bool IsLastAxis(const Node& node, std::size_t rank);
// Attribute `axes`: distinct, sorted, none of them 0, not empty.
absl::StatusOr<std::vector<std::size_t>> AxesAttribute(const Node& node, std::size_t rank);

// Attributes `scale` and `zero_point` (or with `prefix` "output_"), both checked, of a tensor of
// type `data_type`: int8, or int16, whose zero point is 0.
absl::StatusOr<TensorQuantization> QuantizationAttributes(const Node& node,
                                                          absl::string_view prefix,
                                                          DataType data_type = DataType::kInt8);

// The result of a type rule with one output, after a check that its rank and size are sane.
absl::StatusOr<std::vector<TensorType>> OneOutput(const Node& node, TensorType type);
absl::Status CheckShape(const Node& node, const Shape& shape);

// Whether elements take whole bytes, so that loops can address them.
absl::Status CheckAddressable(const Node& node, const TensorType& type);

}  // namespace octet
