// SPDX-License-Identifier: Apache-2.0
// The HDF5 files that Keras keeps weights in, read from memory with a narrow part of libhdf5.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/tensor/tensor.h"

namespace octet::keras {

// Only what Keras writes is accepted: groups, hard links, numeric arrays in little-endian, stored
// plainly or with the filters deflate and shuffle. Everything else that HDF5 can say (soft and
// external links, data in other files, other filters, converted types) is refused, because it is
// how such files reach for other files or for bugs of the library.
// Paths are separated by "/" and start at the root, without a leading "/".
// Thread safety: none, and not for two objects at once: libhdf5 has global state.
class H5File {
 public:
  // Opens the file in `bytes`. No dataset of more than `max_byte_size` will be read.
  static absl::StatusOr<H5File> Open(std::span<const std::byte> bytes, std::int64_t max_byte_size);

  H5File(H5File&& other) noexcept;
  H5File& operator=(H5File&& other) noexcept;
  ~H5File();

  // Whether there is a group at `path`. An error for a link that is not a hard one.
  [[nodiscard]] absl::StatusOr<bool> HasGroup(absl::string_view path) const;

  // The names in the group at `path`, sorted.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListNames(absl::string_view path) const;

  // The dataset at `path`.
  [[nodiscard]] absl::StatusOr<ConstantTensor> ReadDataset(absl::string_view path) const;

  // Whether the group at `path` ("" for the file's own) has the attribute.
  [[nodiscard]] bool HasAttribute(absl::string_view path, const std::string& attribute) const;

  // A string attribute, or one string for each element of an array of strings.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ReadStrings(
      absl::string_view path, const std::string& attribute) const;

 private:
  H5File(std::int64_t file, std::int64_t max_byte_size)
      : file_(file), max_byte_size_(max_byte_size) {}

  std::int64_t file_ = -1;  // hid_t
  std::int64_t max_byte_size_ = 0;
};

}  // namespace octet::keras
