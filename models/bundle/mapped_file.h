// SPDX-License-Identifier: Apache-2.0
// A file mapped into memory, read-only.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace octet {

// Thread safety: immutable.
// Whoever replaces a bundle must write a new file and rename it: a file that is cut short while it
// is mapped ends the process, as with every program that maps files.
class MappedFile {
 public:
  // Maps the regular file at `path` (links are followed). Returns NOT_FOUND if there is none,
  // INVALID_ARGUMENT for what is not a regular file, PERMISSION_DENIED, or INTERNAL.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace octet
