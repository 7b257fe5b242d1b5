// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

#include "models/bundle/graph_codec.h"

namespace octet {

namespace {

absl::string_view AsChars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string TensorTable::AddVariable(const std::string& name, const ConstantTensor& tensor) {
  for (const std::size_t i : by_bytes_[Key(tensor.data_type(), AsChars(tensor.bytes()))]) {
    if (tensors_[i].entry.dims == tensor.dims()) return tensors_[i].name;
  }
  return Store(name, {tensor.data_type(), tensor.dims(), tensor.bytes()});
}

std::string TensorTable::AddConstant(const std::string& name, const ConstantTensor& tensor) {
  const absl::string_view bytes = AsChars(tensor.bytes());
  const bool packed = BitWidth(tensor.data_type()) < 8;
  for (const DataType type : {tensor.data_type(), DataType::kInt8, DataType::kUint8}) {
    if (type != tensor.data_type() && !packed) continue;
    const auto found = by_bytes_.find(Key(type, bytes));
    if (found != by_bytes_.end() && !found->second.empty()) {
      return tensors_[found->second.front()].name;
    }
  }
  if (!packed) return Store(name, {tensor.data_type(), tensor.dims(), tensor.bytes()});
  const auto size = static_cast<std::int64_t>(tensor.bytes().size());
  return Store(name, {DataType::kUint8, {size}, tensor.bytes()});
}

std::string TensorTable::Store(const std::string& name, SafetensorsEntry entry) {
  std::string unique = name;
  for (int i = 2; !names_.emplace(unique, tensors_.size()).second; ++i) {
    unique = absl::StrCat(name, "#", i);
  }
  by_bytes_[Key(entry.data_type, AsChars(entry.bytes))].push_back(tensors_.size());
  tensors_.push_back({unique, std::move(entry)});
  return unique;
}

}  // namespace octet
