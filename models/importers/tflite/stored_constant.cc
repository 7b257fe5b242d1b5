// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/stored_constant.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/importers/float_constant.h"

namespace octet::tflite {
namespace {

// What is subtracted from an element to make it an int8.
std::int64_t Shift(const StoredTensor& tensor) {
  return tensor.data_type == DataType::kUint8 ? 128 : 0;
}

bool IsScale(float scale) { return scale > 0.0F && std::isfinite(scale); }

// Of a constant of int8, uint8 or int16.
std::int64_t ElementAt(const ConstantTensor& constant, std::size_t index) {
  if (constant.data_type() == DataType::kInt16) {
    std::int16_t value = 0;
    std::memcpy(&value, constant.bytes().data() + index * sizeof(value), sizeof(value));
    return value;
  }
  const auto byte = std::to_integer<std::uint8_t>(constant.bytes()[index]);
  return constant.data_type() == DataType::kUint8 ? std::int64_t{byte}
                                                  : std::int64_t{static_cast<std::int8_t>(byte)};
}

// Two elements to a byte, the first in its low bits, without regard to dimensions.
ConstantTensor WidenInt4(const StoredTensor& tensor) {
  std::vector<std::int8_t> values(static_cast<std::size_t>(NumElements(tensor.dims)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto byte = std::to_integer<int>(tensor.data[i / 2]);
    const int nibble = i % 2 == 0 ? byte & 0xF : byte >> 4;
    values[i] = static_cast<std::int8_t>((nibble ^ 8) - 8);
  }
  return ConstantTensor::Copy(DataType::kInt8, tensor.dims, values);
}

}  // namespace

std::string Describe(const StoredTensor& tensor) {
  const std::string type = tensor.data_type.has_value()
                               ? std::string(DataTypeName(*tensor.data_type))
                               : absl::StrCat("type ", tensor.type_number, " ");
  return absl::StrCat(Quoted(tensor.name), " ", type, ToString(tensor.dims));
}

bool IsQuantizedTensor(const StoredTensor& tensor) {
  const bool has_numbers =
      tensor.data_type == DataType::kInt8 || tensor.data_type == DataType::kUint8 ||
      tensor.data_type == DataType::kInt16 || tensor.data_type == DataType::kInt4;
  return has_numbers && !tensor.quantization.scale.empty();
}

DataType ActivationType(const StoredTensor& tensor) {
  return tensor.data_type == DataType::kInt16 ? DataType::kInt16 : DataType::kInt8;
}

absl::StatusOr<TensorQuantization> ActivationQuantization(const StoredTensor& tensor) {
  if (tensor.data_type == DataType::kInt4) {
    return absl::UnimplementedError(
        absl::StrCat(Describe(tensor), ": wants INT8, UINT8 or INT16 for an activation"));
  }
  const StoredQuantization& stored = tensor.quantization;
  if (stored.scale.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(tensor), ": got ", stored.scale.size(),
                                                   " scales for an activation, wants one"));
  }
  const float scale = stored.scale[0];
  const std::int64_t shift = Shift(tensor);
  const std::int64_t zero_point = stored.ZeroPoint(0);
  const bool is_int16 = tensor.data_type == DataType::kInt16;
  const std::int64_t lowest = is_int16 ? 0 : shift - 128;
  const std::int64_t highest = is_int16 ? 0 : shift + 127;
  if (!IsScale(scale) || zero_point < lowest || zero_point > highest) {
    const std::string wanted = is_int16 ? "0" : absl::StrCat(lowest, " to ", highest);
    return absl::InvalidArgumentError(absl::StrCat(Describe(tensor), ": got scale ", scale,
                                                   " and zero point ", zero_point,
                                                   ", wants a finite scale above 0 and ", wanted));
  }
  return TensorQuantization{
      .scale = kernels::Scale{scale},
      .zero_point = kernels::ZeroPoint{static_cast<std::int32_t>(zero_point - shift)}};
}

absl::Status CheckWeightQuantization(const StoredTensor& weight, std::int64_t axis) {
  const StoredQuantization& stored = weight.quantization;
  const std::int64_t channels = weight.dims[static_cast<std::size_t>(axis)];
  const auto count = static_cast<std::int64_t>(stored.scale.size());
  if (count != 1 && (count != channels || stored.axis != axis)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(weight), ": got ", count, " scales along dimension ", stored.axis,
                     ", wants one, or ", channels, " along dimension ", axis));
  }
  for (const float scale : stored.scale) {
    if (IsScale(scale)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(weight), ": got scale ", scale, ", wants finite ones above 0"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ConstantTensor> StoredConstant(const StoredTensor& tensor) {
  const bool is_int4 = tensor.data_type == DataType::kInt4;
  if (!tensor.data_type.has_value() || (BitWidth(*tensor.data_type) < 8 && !is_int4)) {
    return absl::UnimplementedError(absl::StrCat("a constant ", Describe(tensor)));
  }
  if (tensor.is_sparse) {
    return absl::UnimplementedError(absl::StrCat("a sparse constant ", Describe(tensor)));
  }
  if (is_int4) return WidenInt4(tensor);
  const ConstantTensor constant = ConstantTensor::Copy(*tensor.data_type, tensor.dims, tensor.data);
  const bool is_half =
      tensor.data_type == DataType::kFloat16 || tensor.data_type == DataType::kBfloat16;
  return is_half ? WidenToFloat(constant) : constant;
}

absl::StatusOr<ConstantTensor> RealConstant(const StoredTensor& tensor) {
  ASSIGN_OR_RETURN(ConstantTensor constant, StoredConstant(tensor));
  if (constant.data_type() == DataType::kFloat32) return constant;
  if (!IsQuantizedTensor(tensor)) {
    return absl::UnimplementedError(
        absl::StrCat("a constant ", Describe(tensor), ", wants floats or quantized numbers"));
  }
  const StoredQuantization& stored = tensor.quantization;
  std::size_t inner = 1;  // neighbours of one channel
  if (stored.scale.size() > 1) {
    if (stored.axis < 0 || stored.axis >= static_cast<std::int64_t>(tensor.dims.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat(Describe(tensor), ": got scales along dimension ", stored.axis));
    }
    RETURN_IF_ERROR(CheckWeightQuantization(tensor, stored.axis));
    const auto behind = std::span(tensor.dims).subspan(static_cast<std::size_t>(stored.axis) + 1);
    inner = static_cast<std::size_t>(NumElements(behind));
  }
  std::vector<float> values(static_cast<std::size_t>(NumElements(tensor.dims)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = i / inner % stored.scale.size();
    const std::int64_t steps = ElementAt(constant, i) - stored.ZeroPoint(channel);
    values[i] = static_cast<float>(steps) * stored.scale[channel];
  }
  return ConstantTensor::Copy(DataType::kFloat32, tensor.dims, values);
}

}  // namespace octet::tflite
