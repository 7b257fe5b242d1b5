// SPDX-License-Identifier: Apache-2.0
#include "models/tensor/data_type.h"

#include <array>

namespace octet {
namespace {

struct Row {
  DataType type;
  absl::string_view name;
  std::size_t bits;
  bool is_integer;
};
// By the value of DataType.
constexpr std::array kTypes = {
    Row{DataType::kBool, "BOOL", 8, false},      Row{DataType::kInt4, "INT4", 4, true},
    Row{DataType::kUint4, "UINT4", 4, true},     Row{DataType::kInt8, "INT8", 8, true},
    Row{DataType::kUint8, "UINT8", 8, true},     Row{DataType::kInt16, "INT16", 16, true},
    Row{DataType::kUint16, "UINT16", 16, true},  Row{DataType::kInt32, "INT32", 32, true},
    Row{DataType::kUint32, "UINT32", 32, true},  Row{DataType::kInt64, "INT64", 64, true},
    Row{DataType::kUint64, "UINT64", 64, true},  Row{DataType::kFloat16, "FP16", 16, false},
    Row{DataType::kBfloat16, "BF16", 16, false}, Row{DataType::kFloat32, "FP32", 32, false},
    Row{DataType::kFloat64, "FP64", 64, false}};

const Row& RowOf(DataType type) { return kTypes.at(static_cast<std::size_t>(type)); }

}  // namespace

std::size_t BitWidth(DataType type) { return RowOf(type).bits; }

bool IsInteger(DataType type) { return RowOf(type).is_integer; }

absl::string_view DataTypeName(DataType type) { return RowOf(type).name; }

std::optional<DataType> ParseDataType(absl::string_view name) {
  for (const Row& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

}  // namespace octet
