// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/tensor_data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/float_constant.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

namespace {

// TensorProto.DataType.
enum ElementKind : std::uint8_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
  kUint4 = 21,
  kInt4 = 22,
};

std::size_t StoredBits(std::int64_t type) {
  switch (type) {
    case kUint4:
    case kInt4:
      return 4;
    case kFloat16:
    case kBfloat16:
      return 16;
    case kDouble:
      return 64;
    default:
      break;
  }
  return BitWidth(*ElementType(type));
}

template <typename T>
T At(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// 4-bit elements lie two in a byte, the first in the lower half.
ConstantTensor UnpackHalves(bool is_signed, Dims dims, std::size_t count,
                            std::span<const std::byte> bytes) {
  std::vector<std::int8_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto byte = std::to_integer<int>(bytes[i / 2]);
    const int half = i % 2 == 0 ? byte & 0xf : byte >> 4;
    values[i] = static_cast<std::int8_t>(is_signed ? (half ^ 8) - 8 : half);
  }
  return ConstantTensor::Copy(is_signed ? DataType::kInt8 : DataType::kUint8, std::move(dims),
                              values);
}

// Bytes as they are stored, little-endian.
ConstantTensor FromStored(std::int64_t type, Dims dims, std::size_t count,
                          std::span<const std::byte> bytes,
                          const std::shared_ptr<const void>& owner) {
  if (type == kUint4 || type == kInt4) {
    return UnpackHalves(type == kInt4, std::move(dims), count, bytes);
  }
  if (type == kFloat16 || type == kBfloat16 || type == kDouble) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (type == kFloat16) values[i] = FromFloat16(At<std::uint16_t>(bytes, i));
      if (type == kBfloat16) values[i] = FromBfloat16(At<std::uint16_t>(bytes, i));
      if (type == kDouble) values[i] = static_cast<float>(At<double>(bytes, i));
    }
    return ConstantTensor::Copy(DataType::kFloat32, std::move(dims), values);
  }
  const DataType data_type = *ElementType(type);
  const std::size_t alignment = BitWidth(data_type) / 8;
  if (owner != nullptr && reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) {
    return {data_type, std::move(dims), bytes, owner};
  }
  return ConstantTensor::Copy(data_type, std::move(dims), bytes);
}

// Elements from int32_data and its like: each number is one element, or the bits of one.
ConstantTensor FromNumbers(std::int64_t type, Dims dims, const std::vector<std::int64_t>& numbers,
                           std::size_t count) {
  if (type == kUint4 || type == kInt4) {
    std::vector<std::byte> bytes;
    for (const std::int64_t number : numbers) bytes.push_back(static_cast<std::byte>(number));
    return UnpackHalves(type == kInt4, std::move(dims), count, bytes);
  }
  if (type == kFloat16 || type == kBfloat16) {
    std::vector<float> values;
    for (const std::int64_t number : numbers) {
      const auto bits = static_cast<std::uint16_t>(number);
      values.push_back(type == kFloat16 ? FromFloat16(bits) : FromBfloat16(bits));
    }
    return ConstantTensor::Copy(DataType::kFloat32, std::move(dims), values);
  }
  return FromInt64s(*ElementType(type), std::move(dims), numbers);
}

template <typename T>
absl::Status CheckCount(const TensorProto& tensor, const std::vector<T>& elements,
                        std::size_t wanted) {
  if (elements.size() == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(tensor.name), " of shape ",
                                                 ToString(tensor.dims), " has ", elements.size(),
                                                 " elements, wants ", wanted));
}

// Calls visit(T{}) with the element type of `type`, a bool's byte as uint8.
template <typename Visit>
void VisitType(DataType type, Visit visit) {
  switch (type) {
    case DataType::kInt8:
      return visit(std::int8_t{});
    case DataType::kInt16:
      return visit(std::int16_t{});
    case DataType::kUint16:
      return visit(std::uint16_t{});
    case DataType::kInt32:
      return visit(std::int32_t{});
    case DataType::kUint32:
      return visit(std::uint32_t{});
    case DataType::kInt64:
      return visit(std::int64_t{});
    case DataType::kUint64:
      return visit(std::uint64_t{});
    case DataType::kFloat32:
      return visit(float{});
    default:
      return visit(std::uint8_t{});
  }
}

template <typename To>
std::vector<To> Elements(const ConstantTensor& constant) {
  std::vector<To> values;
  VisitType(constant.data_type(), [&](auto example) {
    using From = decltype(example);
    const std::size_t count = constant.bytes().size() / sizeof(From);
    values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const From element = At<From>(constant.bytes(), i);
      if constexpr (std::is_same_v<From, float> && std::is_same_v<To, std::int64_t>) {
        constexpr float kLimit = 9.2e18F;
        values.push_back(
            std::isnan(element) ? 0 : static_cast<To>(std::clamp(element, -kLimit, kLimit)));
      } else {
        values.push_back(static_cast<To>(element));
      }
    }
  });
  return values;
}

}  // namespace

absl::StatusOr<DataType> ElementType(std::int64_t type) {
  switch (type) {
    case kFloat:
    case kFloat16:
    case kBfloat16:
    case kDouble:
      return DataType::kFloat32;
    case kUint8:
    case kUint4:
      return DataType::kUint8;
    case kInt8:
    case kInt4:
      return DataType::kInt8;
    case kUint16:
      return DataType::kUint16;
    case kInt16:
      return DataType::kInt16;
    case kInt32:
      return DataType::kInt32;
    case kInt64:
      return DataType::kInt64;
    case kUint32:
      return DataType::kUint32;
    case kUint64:
      return DataType::kUint64;
    case kBool:
      return DataType::kBool;
    default:
      return absl::UnimplementedError(
          absl::StrCat("elements of type ", ElementTypeName(type), " cannot be imported"));
  }
}

absl::StatusOr<ConstantTensor> ToConstant(const TensorProto& tensor, ExternalData& external,
                                          const std::shared_ptr<const void>& owner) {
  const std::string where = absl::StrCat("tensor ", Quoted(tensor.name), ": ");
  const auto with_name = [&where](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(where, status.message()));
  };
  const absl::StatusOr<DataType> type = ElementType(tensor.data_type);
  if (!type.ok()) return with_name(type.status());
  const absl::StatusOr<std::int64_t> elements = CheckedNumElements(tensor.dims);
  if (!elements.ok()) return with_name(elements.status());
  const auto count = static_cast<std::size_t>(*elements);
  const std::size_t wanted = (count * StoredBits(tensor.data_type) + 7) / 8;
  if (tensor.is_external) {
    auto stored = external.Read(tensor.external_data, wanted);
    if (!stored.ok()) return with_name(stored.status());
    return FromStored(tensor.data_type, tensor.dims, count, stored->bytes, stored->owner);
  }
  if (tensor.raw_data.has_value()) {
    if (tensor.raw_data->size() != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, "shape ", ToString(tensor.dims), " of ", ElementTypeName(tensor.data_type),
          " has ", tensor.raw_data->size(), " bytes of raw_data, wants ", wanted));
    }
    return FromStored(tensor.data_type, tensor.dims, count,
                      std::as_bytes(std::span(tensor.raw_data->data(), wanted)), owner);
  }
  if (tensor.data_type == kFloat) {
    RETURN_IF_ERROR(CheckCount(tensor, tensor.float_data, count));
    return ConstantTensor::Copy(DataType::kFloat32, tensor.dims, tensor.float_data);
  }
  if (tensor.data_type == kDouble) {
    RETURN_IF_ERROR(CheckCount(tensor, tensor.double_data, count));
    return FromDoubles(DataType::kFloat32, tensor.dims, tensor.double_data);
  }
  const bool is_packed = tensor.data_type == kUint4 || tensor.data_type == kInt4;
  RETURN_IF_ERROR(CheckCount(tensor, tensor.integer_data, is_packed ? (count + 1) / 2 : count));
  return FromNumbers(tensor.data_type, tensor.dims, tensor.integer_data, count);
}

std::vector<std::int64_t> Int64Elements(const ConstantTensor& constant) {
  return Elements<std::int64_t>(constant);
}
std::vector<float> FloatElements(const ConstantTensor& constant) {
  return Elements<float>(constant);
}
std::vector<double> DoubleElements(const ConstantTensor& constant) {
  return Elements<double>(constant);
}

ConstantTensor FromDoubles(DataType type, Dims dims, const std::vector<double>& values) {
  std::vector<std::byte> bytes(values.size() * BitWidth(type) / 8);
  VisitType(type, [&](auto example) {
    using To = decltype(example);
    for (std::size_t i = 0; i < values.size(); ++i) {
      To element{};
      if constexpr (std::is_integral_v<To>) {
        constexpr auto kLowest = static_cast<double>(std::numeric_limits<To>::min());
        constexpr auto kHighest = static_cast<double>(std::numeric_limits<To>::max());
        if (values[i] >= kHighest) {
          element = std::numeric_limits<To>::max();
        } else if (values[i] <= kLowest) {
          element = std::numeric_limits<To>::min();
        } else if (!std::isnan(values[i])) {
          element = static_cast<To>(values[i]);
        }
        if (type == DataType::kBool) element = values[i] != 0.0 ? 1 : 0;
      } else {
        element = static_cast<To>(values[i]);
      }
      std::memcpy(bytes.data() + i * sizeof(To), &element, sizeof(To));
    }
  });
  return ConstantTensor::Copy(type, std::move(dims), std::span<const std::byte>(bytes));
}

ConstantTensor FromInt64s(DataType type, Dims dims, const std::vector<std::int64_t>& values) {
  std::vector<std::byte> bytes(values.size() * BitWidth(type) / 8);
  VisitType(type, [&](auto example) {
    using To = decltype(example);
    for (std::size_t i = 0; i < values.size(); ++i) {
      To element = static_cast<To>(values[i]);
      if (type == DataType::kBool) element = static_cast<To>(values[i] != 0 ? 1 : 0);
      std::memcpy(bytes.data() + i * sizeof(To), &element, sizeof(To));
    }
  });
  return ConstantTensor::Copy(type, std::move(dims), std::span<const std::byte>(bytes));
}

}  // namespace octet::onnx
