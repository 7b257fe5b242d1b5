// SPDX-License-Identifier: Apache-2.0
// The element types of tensors.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace octet {

enum class DataType : std::uint8_t {
  kBool,   // one byte, 0 or 1
  kInt4,   // two's complement, two elements a byte, the first in the low nibble
  kUint4,  // the same, unsigned
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
};

// Bits of one element: 4 for the packed types, else a multiple of 8.
std::size_t BitWidth(DataType type);

// Whether elements are whole numbers (kBool is not).
bool IsInteger(DataType type);

// The name in the Open Inference Protocol: "FP32", "INT8", "BOOL", ... "INT4" and "UINT4" extend
// it.
absl::string_view DataTypeName(DataType type);

// The inverse of DataTypeName; nullopt for a name it does not know.
std::optional<DataType> ParseDataType(absl::string_view name);

}  // namespace octet
