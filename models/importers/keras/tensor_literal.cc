// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/tensor_literal.h"

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace octet::keras {

namespace {

constexpr std::size_t kMostDims = 8;

std::optional<Dims> DimsOf(const Json& value) {
  Dims dims;
  const Json* inner = &value;
  while (inner->is_array()) {
    dims.push_back(static_cast<std::int64_t>(inner->size()));
    if (inner->empty() || dims.size() > kMostDims) return std::nullopt;
    inner = &inner->front();
  }
  return dims;
}

// Appends the numbers of `value`, whose dimensions from `axis` on are those of `dims`. False where
// they are not.
template <typename T>
bool AppendNumbers(const Json& value, const Dims& dims, std::size_t axis, std::vector<T>& numbers) {
  if (axis == dims.size()) {
    if (value.is_boolean()) {
      numbers.push_back(static_cast<T>(value.get<bool>() ? 1 : 0));
      return true;
    }
    if (!value.is_number()) return false;
    if constexpr (std::is_same_v<T, std::int32_t>) {
      const auto number = value.get<std::int64_t>();
      if (value.is_number_float() || !std::in_range<std::int32_t>(number)) return false;
      numbers.push_back(static_cast<std::int32_t>(number));
    } else {
      numbers.push_back(static_cast<T>(value.get<double>()));
    }
    return true;
  }
  if (!value.is_array() || static_cast<std::int64_t>(value.size()) != dims[axis]) return false;
  for (const Json& element : value) {
    if (!AppendNumbers(element, dims, axis + 1, numbers)) return false;
  }
  return true;
}

template <typename T>
std::optional<ConstantTensor> Parse(DataType type, const Json& value) {
  const std::optional<Dims> dims = DimsOf(value);
  std::vector<T> numbers;
  if (!dims.has_value() || !AppendNumbers(value, *dims, 0, numbers)) return std::nullopt;
  return ConstantTensor::Copy(type, *dims, numbers);
}

}  // namespace

std::optional<ConstantTensor> ParseTensorLiteral(const Json& json) {
  const auto member = [](const Json& object, const char* key) {
    return object.is_object() && object.contains(key) ? object[key] : Json();
  };
  const Json class_name = member(json, "class_name");
  if (class_name != "__tensor__" && class_name != "__numpy__") return std::nullopt;
  const Json config = member(json, "config");
  const Json dtype = member(config, "dtype");
  const Json value = member(config, "value");
  if (!dtype.is_string()) return std::nullopt;
  const auto name = dtype.get<std::string>();
  if (name == "bool") return Parse<std::uint8_t>(DataType::kBool, value);
  if (absl::StrContains(name, "int")) return Parse<std::int32_t>(DataType::kInt32, value);
  if (absl::StrContains(name, "float")) return Parse<float>(DataType::kFloat32, value);
  return std::nullopt;
}

}  // namespace octet::keras
