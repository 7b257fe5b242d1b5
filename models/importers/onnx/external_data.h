// SPDX-License-Identifier: Apache-2.0
// Tensors that an ONNX model keeps in files beside it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

#include "models/bundle/mapped_file.h"

namespace octet::onnx {

// Some bytes of a file, kept mapped by `owner`.
struct ExternalBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// Opens files below one folder and nothing else.
class ExternalData {
 public:
  // No files at all: of a model that lies in memory.
  ExternalData() = default;
  // Those of the model at `model_path`: below the folder in which it lies. No file may be larger
  // than `max_byte_size`.
  ExternalData(const std::string& model_path, std::int64_t max_byte_size);

  // What `entries` (location, offset, length, as in TensorProto.external_data) name, which must be
  // `wanted` bytes long. Returns PERMISSION_DENIED for a location that is absolute, holds "..", or
  // reaches its file over a link of either kind; NOT_FOUND, INVALID_ARGUMENT for an offset or
  // length that is no number or not in the file; RESOURCE_EXHAUSTED.
  absl::StatusOr<ExternalBytes> Read(const std::map<std::string, std::string>& entries,
                                     std::size_t wanted);

 private:
  absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& location);

  std::string folder_;
  std::int64_t max_byte_size_ = 0;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;  // by location
};

}  // namespace octet::onnx
