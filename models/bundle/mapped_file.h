// SPDX-License-Identifier: Apache-2.0
// A file mapped into memory, read-only, or read into memory of its own.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace octet {

// Thread safety: immutable.
// Who opens a file that others may write to meanwhile wants ReadCopy: one that is cut short while
// it is mapped ends the process, as with every program that maps files.
class MappedFile {
 public:
  // Maps the regular file at `path` (links are followed). Returns NOT_FOUND if there is none,
  // INVALID_ARGUMENT for what is not a regular file, PERMISSION_DENIED, or INTERNAL.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);

  // The same bytes, but read once: what happens to the file afterwards does not matter, and the
  // memory goes back to the system with the object. Returns what Open does, RESOURCE_EXHAUSTED for
  // a file larger than this machine's memory, and DATA_LOSS where it changes its size meanwhile.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> ReadCopy(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace octet
