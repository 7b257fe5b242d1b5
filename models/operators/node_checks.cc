// SPDX-License-Identifier: Apache-2.0

#include "models/operators/node_checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxInt = std::numeric_limits<std::int32_t>::max();

std::string DataTypeNames(std::initializer_list<DataType> types) {
  std::vector<absl::string_view> names;
  for (const DataType type : types) names.push_back(DataTypeName(type));
  return absl::StrJoin(names, " or ");
}

}  // namespace

absl::Status WithNode(const Node& node, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(node.op, " \"", node.name, "\": ", status.message()));
}

absl::Status NodeInputs::CheckCounts(std::size_t at_least, std::size_t at_most,
                                     std::size_t outputs_at_least,
                                     std::size_t outputs_at_most) const {
  if (types_.size() != node_.inputs.size() || constants_.size() != node_.inputs.size()) {
    return InvalidNode(node_, "got ", types_.size(), " input types and ", constants_.size(),
                       " constants for ", node_.inputs.size(), " inputs");
  }
  if (types_.size() < at_least || types_.size() > at_most) {
    return InvalidNode(node_, "got ", types_.size(), " inputs, wants ", at_least,
                       at_least == at_most ? "" : absl::StrCat(" to ", at_most));
  }
  for (std::size_t i = 0; i < at_least; ++i) {
    if (!Has(i)) return InvalidNode(node_, "input ", i, " is absent and not optional");
  }
  for (std::size_t i = 0; i < types_.size(); ++i) {
    if (rank(i) > kMaxRank) {
      return InvalidNode(node_, "input ", i, " has ", rank(i), " dimensions, wants at most ",
                         kMaxRank);
    }
    const ConstantTensor* constant = constants_[i];
    if (constant != nullptr &&
        (constant->data_type() != types_[i].data_type || ToShape(constant->dims()) != shape(i) ||
         constant->bytes().size() !=
             ByteSize(constant->data_type(), constant->dims(), constant->packed_axis()))) {
      return InvalidNode(node_, "constant input ", i, " is ", DataTypeName(constant->data_type()),
                         ToString(constant->dims()), " of ", constant->bytes().size(),
                         " bytes, which is not its value's type");
    }
  }
  const std::size_t num_outputs = node_.outputs.size();
  if (num_outputs < outputs_at_least || num_outputs > outputs_at_most) {
    return InvalidNode(
        node_, "has ", num_outputs, " outputs, wants ", outputs_at_least,
        outputs_at_least == outputs_at_most ? "" : absl::StrCat(" to ", outputs_at_most));
  }
  return absl::OkStatus();
}

absl::Status NodeInputs::CheckDataType(std::size_t index, absl::string_view name,
                                       std::initializer_list<DataType> wanted) const {
  if (std::find(wanted.begin(), wanted.end(), type(index).data_type) == wanted.end()) {
    return InvalidNode(node_, "input \"", name, "\" is ", DataTypeName(type(index).data_type),
                       ", wants ", DataTypeNames(wanted));
  }
  return absl::OkStatus();
}

absl::Status NodeInputs::CheckRank(std::size_t index, absl::string_view name, std::size_t at_least,
                                   std::size_t at_most) const {
  if (rank(index) < at_least || rank(index) > at_most) {
    return InvalidNode(node_, "input \"", name, "\" has shape ", ToString(shape(index), {}),
                       ", wants ", at_least,
                       at_least == at_most ? "" : absl::StrCat(" to ", at_most), " dimensions");
  }
  return absl::OkStatus();
}

absl::Status NodeInputs::CheckConstant(std::size_t index, absl::string_view name) const {
  if (constant(index) == nullptr) {
    return InvalidNode(node_, "input \"", name, "\" is no constant, which it must be");
  }
  return absl::OkStatus();
}

absl::Status NodeInputs::CheckConstant(std::size_t index, absl::string_view name,
                                       DataType data_type,
                                       std::span<const std::int64_t> dims) const {
  RETURN_IF_ERROR(CheckConstant(index, name));
  const ConstantTensor& got = *constant(index);
  if (got.data_type() != data_type || !std::ranges::equal(got.dims(), dims)) {
    return InvalidNode(node_, "input \"", name, "\" is ", DataTypeName(got.data_type()),
                       ToString(got.dims()), ", wants ", DataTypeName(data_type), ToString(dims));
  }
  if (data_type != DataType::kFloat32) return absl::OkStatus();
  for (const float element : FloatElements(got)) {
    if (!std::isfinite(element)) {
      return InvalidNode(node_, "input \"", name, "\" holds ", element,
                         ", wants finite numbers only");
    }
  }
  return absl::OkStatus();
}

absl::Status NodeInputs::CheckScale(std::size_t index, absl::string_view name,
                                    std::span<const std::int64_t> dims) const {
  RETURN_IF_ERROR(CheckConstant(index, name, DataType::kFloat32, dims));
  for (const float element : FloatElements(*constant(index))) {
    if (!(element > 0.0F)) {
      return InvalidNode(node_, "input \"", name, "\" holds ", element,
                         ", wants scales above 0 only");
    }
  }
  return absl::OkStatus();
}

std::vector<float> FloatElements(const ConstantTensor& constant) {
  std::vector<float> elements(constant.bytes().size() / sizeof(float));
  if (!elements.empty()) {
    std::memcpy(elements.data(), constant.bytes().data(), elements.size() * sizeof(float));
  }
  return elements;
}

absl::StatusOr<std::int64_t> IntAttribute(const Node& node, absl::string_view key,
                                          std::int64_t fallback, std::int64_t at_least) {
  ASSIGN_OR_RETURN(const std::int64_t value, node.Int(key, fallback));
  if (value < at_least || value > kMaxInt) {
    return InvalidNode(node, "attribute \"", key, "\" is ", value, ", wants ", at_least, " to ",
                       kMaxInt);
  }
  return value;
}

absl::StatusOr<bool> FlagAttribute(const Node& node, absl::string_view key, bool fallback) {
  ASSIGN_OR_RETURN(const std::int64_t value, node.Int(key, fallback ? 1 : 0));
  if (value != 0 && value != 1) {
    return InvalidNode(node, "attribute \"", key, "\" is ", value, ", wants 0 or 1");
  }
  return value == 1;
}

absl::StatusOr<float> FloatAttribute(const Node& node, absl::string_view key, double fallback) {
  ASSIGN_OR_RETURN(const double value, node.Float(key, fallback));
  if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return InvalidNode(node, "attribute \"", key, "\" is ", value, ", wants a finite float32");
  }
  return static_cast<float>(value);
}

absl::StatusOr<float> PositiveAttribute(const Node& node, absl::string_view key, double fallback) {
  ASSIGN_OR_RETURN(const float value, FloatAttribute(node, key, fallback));
  if (!(value > 0.0F)) {
    return InvalidNode(node, "attribute \"", key, "\" is ", value, ", wants a number above 0");
  }
  return value;
}

absl::StatusOr<std::vector<std::int64_t>> IntsAttribute(const Node& node, absl::string_view key,
                                                        std::vector<std::int64_t> fallback,
                                                        std::size_t count, std::int64_t at_least) {
  ASSIGN_OR_RETURN(std::vector<std::int64_t> values, node.Ints(key, std::move(fallback)));
  const bool sane = std::all_of(values.begin(), values.end(), [at_least](std::int64_t value) {
    return value >= at_least && value <= kMaxInt;
  });
  if (values.size() != count || !sane) {
    return InvalidNode(node, "attribute \"", key, "\" is ", ToString(values), ", wants ", count,
                       " integers from ", at_least, " to ", kMaxInt);
  }
  return values;
}

absl::StatusOr<std::string> NameAttribute(const Node& node, absl::string_view key,
                                          absl::string_view fallback,
                                          std::initializer_list<absl::string_view> names) {
  ASSIGN_OR_RETURN(std::string value, node.String(key, fallback));
  if (std::find(names.begin(), names.end(), value) == names.end()) {
    return InvalidNode(node, "attribute \"", key, "\" is \"", value, "\", wants one of ",
                       absl::StrJoin(names, ", "));
  }
  return value;
}

absl::StatusOr<std::size_t> NormalizedAxis(const Node& node, std::int64_t axis, std::size_t rank,
                                           std::size_t at_least) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  const std::int64_t normalized = axis < 0 ? axis + signed_rank : axis;
  if (axis < -signed_rank || normalized >= signed_rank ||
      normalized < static_cast<std::int64_t>(at_least)) {
    return InvalidNode(node, "axis ", axis, " of ", rank, " dimensions, wants one from ", at_least,
                       " to ", signed_rank - 1);
  }
  return static_cast<std::size_t>(normalized);
}

absl::StatusOr<std::size_t> AxisAttribute(const Node& node, absl::string_view key, std::size_t rank,
                                          std::size_t at_least) {
  ASSIGN_OR_RETURN(const std::int64_t axis, node.Int(key, -1));
  return NormalizedAxis(node, axis, rank, at_least);
}

bool IsLastAxis(const Node& node, std::size_t rank) {
  const auto axis = AxisAttribute(node, "axis", rank);
  return axis.ok() && *axis + 1 == rank;
}

absl::StatusOr<std::vector<std::size_t>> AxesAttribute(const Node& node, std::size_t rank) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> given, node.Ints("axes", {}));
  if (given.empty()) return InvalidNode(node, "attribute \"axes\" is empty or absent");
  if (given.size() > kMaxRank) return InvalidNode(node, "got ", given.size(), " axes");
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : given) {
    ASSIGN_OR_RETURN(const std::size_t normalized, NormalizedAxis(node, axis, rank, 1));
    axes.push_back(normalized);
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    return InvalidNode(node, "attribute \"axes\" is ", ToString(given), ", which repeats one");
  }
  return axes;
}

absl::StatusOr<TensorQuantization> QuantizationAttributes(const Node& node,
                                                          absl::string_view prefix,
                                                          DataType data_type) {
  const std::string scale_key = absl::StrCat(prefix, "scale");
  const std::string zero_point_key = absl::StrCat(prefix, "zero_point");
  if (node.attributes.find(scale_key) == node.attributes.end()) {
    return InvalidNode(node, "attribute \"", scale_key, "\" is absent");
  }
  ASSIGN_OR_RETURN(const float scale, PositiveAttribute(node, scale_key, 1.0));
  ASSIGN_OR_RETURN(const std::int64_t zero_point, node.Int(zero_point_key, 0));
  if (data_type == DataType::kInt16 && zero_point != 0) {
    return InvalidNode(node, "attribute \"", zero_point_key, "\" is ", zero_point,
                       " for an INT16 tensor, wants 0");
  }
  if (zero_point < -128 || zero_point > 127) {
    return InvalidNode(node, "attribute \"", zero_point_key, "\" is ", zero_point,
                       ", wants -128 to 127");
  }
  return TensorQuantization{kernels::Scale{scale},
                            kernels::ZeroPoint{static_cast<std::int32_t>(zero_point)}};
}

absl::Status CheckShape(const Node& node, const Shape& shape) {
  if (shape.size() > kMaxRank) {
    return InvalidNode(node, "the result has ", shape.size(), " dimensions, wants at most ",
                       kMaxRank);
  }
  Dims constant_dims;
  for (const Dim& dim : shape) {
    if (dim.is_constant()) constant_dims.push_back(dim.value());
  }
  const auto num_elements = CheckedNumElements(constant_dims);
  return WithNode(node, num_elements.status());
}

absl::StatusOr<std::vector<TensorType>> OneOutput(const Node& node, TensorType type) {
  RETURN_IF_ERROR(CheckShape(node, type.shape));
  std::vector<TensorType> outputs;
  outputs.push_back(std::move(type));
  return outputs;
}

absl::Status CheckAddressable(const Node& node, const TensorType& type) {
  if (BitWidth(type.data_type) % 8 != 0) {
    return UnimplementedNode(node, "an activation of type ", DataTypeName(type.data_type));
  }
  return absl::OkStatus();
}

}  // namespace octet
