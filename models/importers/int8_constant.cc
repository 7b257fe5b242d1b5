// SPDX-License-Identifier: Apache-2.0
#include "models/importers/int8_constant.h"

#include <cstddef>
#include <span>
#include <vector>

namespace octet {

ConstantTensor AsInt8(const ConstantTensor& constant) {
  if (constant.data_type() != DataType::kUint8) return constant;
  std::vector<std::byte> shifted(constant.bytes().begin(), constant.bytes().end());
  for (std::byte& element : shifted) element ^= std::byte{0x80};
  return ConstantTensor::Copy(DataType::kInt8, constant.dims(),
                              std::span<const std::byte>(shifted));
}

}  // namespace octet
