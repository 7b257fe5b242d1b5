// SPDX-License-Identifier: Apache-2.0
// The safetensors format: a length, a JSON header, and the tensors' bytes. All little-endian.

#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/tensor/data_type.h"
#include "models/tensor/shape.h"

namespace octet {

// One tensor of a safetensors file. 4-bit tensors are stored as bytes: the format has no such type.
struct SafetensorsEntry {
  DataType data_type = DataType::kUint8;
  Dims dims;
  std::span<const std::byte> bytes;
};

// The tensors in `file` by name, as views into it; the padding that WriteSafetensors adds is left
// out. Returns DATA_LOSS naming what is wrong: header beyond the file or 64 MiB, JSON that is not
// as the format demands, a key taken twice, a shape whose bytes are not the offsets', holes,
// overlaps, data beyond the end or left over. UNIMPLEMENTED for an element type without a DataType.
// The file's own texts ("__metadata__") become `metadata`, if it is given.
absl::StatusOr<std::map<std::string, SafetensorsEntry>> ReadSafetensors(
    std::span<const std::byte> file, std::map<std::string, std::string>* metadata = nullptr);

struct NamedSafetensorsEntry {
  std::string name;  // unique, not empty, UTF-8; must not begin with "__"
  SafetensorsEntry entry;
};

// A file with `tensors` in this order, each at a multiple of 64 bytes from the file's start.
// The format allows no holes, so what lies between two tensors is a uint8 tensor named
// "__padding__.<i>". Returns INVALID_ARGUMENT for names that are not as above and for entries
// whose bytes do not fit their shape.
absl::StatusOr<std::string> WriteSafetensors(const std::vector<NamedSafetensorsEntry>& tensors);

}  // namespace octet
