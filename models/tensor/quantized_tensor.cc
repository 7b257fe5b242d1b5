// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/quantized_tensor.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

constexpr char kScaleSuffix[] = "_scale";
constexpr char kZeroPointSuffix[] = "_zero_point";

// A tensor seen as [outer, length, inner] around the packed axis.
struct PackedLayout {
  std::size_t outer = 1;
  std::size_t length = 1;
  std::size_t inner = 1;

  PackedLayout(const Dims& dims, int axis) {
    const std::size_t packed = axis < 0 ? dims.size() - 1 : static_cast<std::size_t>(axis);
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto dim = static_cast<std::size_t>(dims[i]);
      if (i < packed) outer *= dim;
      if (i == packed) length = dim;
      if (i > packed) inner *= dim;
    }
  }
  [[nodiscard]] std::size_t num_bytes() const { return outer * ((length + 1) / 2) * inner; }

  // Calls visit(element index, byte index, is in the high nibble) for every element.
  template <typename Visit>
  void ForEach(Visit visit) const {
    const std::size_t packed_length = (length + 1) / 2;
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t l = 0; l < length; ++l) {
        for (std::size_t i = 0; i < inner; ++i) {
          visit((o * length + l) * inner + i, (o * packed_length + l / 2) * inner + i, l % 2 == 1);
        }
      }
    }
  }
};

}  // namespace

std::vector<std::pair<std::string, ConstantTensor>> QuantizedTensor::Flatten(
    const std::string& name) const {
  std::vector<std::pair<std::string, ConstantTensor>> tensors = {{name, data},
                                                                 {name + kScaleSuffix, scale}};
  if (zero_point) tensors.emplace_back(name + kZeroPointSuffix, *zero_point);
  return tensors;
}

absl::StatusOr<QuantizedTensor> QuantizedTensor::Unflatten(
    const std::string& name, const std::vector<std::pair<std::string, ConstantTensor>>& tensors) {
  const auto find = [&](const std::string& wanted) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const auto& tensor) { return tensor.first == wanted; });
  };
  QuantizedTensor result;
  for (const std::string& wanted : {name, name + kScaleSuffix}) {
    const auto found = find(wanted);
    if (found == tensors.end()) {
      return absl::InvalidArgumentError(absl::StrCat("tensor \"", wanted, "\" is missing"));
    }
    (wanted == name ? result.data : result.scale) = found->second;
  }
  if (const auto found = find(name + kZeroPointSuffix); found != tensors.end()) {
    result.zero_point = found->second;
  }
  return result;
}

std::vector<std::int8_t> UnpackNibbles(const ConstantTensor& packed) {
  const PackedLayout layout(packed.dims(), packed.packed_axis());
  std::vector<std::int8_t> elements(static_cast<std::size_t>(NumElements(packed.dims())));
  const auto bytes = packed.as<std::uint8_t>();
  const bool is_signed = packed.data_type() == DataType::kInt4;
  layout.ForEach([&](std::size_t element, std::size_t byte, bool is_high) {
    const int nibble = is_high ? bytes[byte] >> 4 : bytes[byte] & 0xF;
    elements[element] = static_cast<std::int8_t>(is_signed ? (nibble ^ 8) - 8 : nibble);
  });
  return elements;
}

ConstantTensor PackNibbles(DataType type, const Dims& dims,
                           const std::vector<std::int8_t>& elements, int axis) {
  const PackedLayout layout(dims, axis);
  std::vector<std::uint8_t> bytes(layout.num_bytes(), 0);
  layout.ForEach([&](std::size_t element, std::size_t byte, bool is_high) {
    const int nibble = elements[element] & 0xF;
    bytes[byte] = static_cast<std::uint8_t>(bytes[byte] | (is_high ? nibble << 4 : nibble));
  });
  return ConstantTensor::Copy(type, dims, std::as_bytes(std::span(bytes)), axis);
}

}  // namespace octet
