// SPDX-License-Identifier: Apache-2.0
#include "models/importers/float_constant.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace octet {

float FromFloat16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const auto mantissa = static_cast<float>(bits & 0x3ff);
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 0x1f) {
    return mantissa == 0.0F ? sign * std::numeric_limits<float>::infinity()
                            : std::numeric_limits<float>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024.0F + mantissa, exponent - 25);
}

float FromBfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

namespace {

template <typename From, typename Convert>
ConstantTensor Converted(const ConstantTensor& tensor, Convert convert) {
  std::vector<float> values(tensor.bytes().size() / sizeof(From));
  for (std::size_t i = 0; i < values.size(); ++i) {
    From element;
    std::memcpy(&element, tensor.bytes().data() + i * sizeof(From), sizeof(From));
    values[i] = convert(element);
  }
  return ConstantTensor::Copy(DataType::kFloat32, tensor.dims(), values);
}

}  // namespace

absl::StatusOr<ConstantTensor> WidenToFloat(const ConstantTensor& tensor) {
  const auto cast = [](auto element) { return static_cast<float>(element); };
  switch (tensor.data_type()) {
    case DataType::kFloat32:
      return tensor;
    case DataType::kFloat64:
      return Converted<double>(tensor, cast);
    case DataType::kFloat16:
      return Converted<std::uint16_t>(tensor, FromFloat16);
    case DataType::kBfloat16:
      return Converted<std::uint16_t>(tensor, FromBfloat16);
    case DataType::kInt8:
      return Converted<std::int8_t>(tensor, cast);
    case DataType::kUint8:
      return Converted<std::uint8_t>(tensor, cast);
    case DataType::kInt32:
      return Converted<std::int32_t>(tensor, cast);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("got ", DataTypeName(tensor.data_type()), ", wants floats"));
  }
}

}  // namespace octet
