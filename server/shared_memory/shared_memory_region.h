// SPDX-License-Identifier: Apache-2.0
// A part of a POSIX shared memory object that a client made: read and written, never mapped.
//
// The client goes on owning the object. It may write to it, cut it short or punch holes into it
// while the server reads: behind a mapping, each of those is a signal that ends the server, or data
// that changes after it was checked. Here every access is a copy by pread or pwrite: what is gone
// is an error of one request, and what was copied stays as it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace octet {

// Where a region is, as its client says.
struct SharedMemoryPlace {
  std::string key;           // as of shm_open: a name, with or without one '/' before it
  std::uint64_t offset = 0;  // in the object
  std::uint64_t byte_size = 0;
};

// Holds a descriptor of the object, which lives on while it is unlinked and unregistered.
//
// Thread safety: any thread may call any method.
class SharedMemoryRegion {
 public:
  // Opens the object. Returns INVALID_ARGUMENT for a key that is no plain name, for no bytes and
  // for a place that reaches beyond the object's end; NOT_FOUND where there is no such object;
  // PERMISSION_DENIED where the server may not read and write it, or only because of its own
  // privileges: it is neither the server's user's nor everybody's; UNAVAILABLE while another
  // process has a lease on it; RESOURCE_EXHAUSTED without descriptors. Waits for nobody.
  static absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> Open(SharedMemoryPlace place);
  ~SharedMemoryRegion();
  SharedMemoryRegion(const SharedMemoryRegion&) = delete;
  SharedMemoryRegion& operator=(const SharedMemoryRegion&) = delete;

  [[nodiscard]] const SharedMemoryPlace& place() const { return place_; }

  // Whether `byte_size` bytes from `offset` on lie in the region. No sum overflows.
  [[nodiscard]] bool Holds(std::uint64_t offset, std::uint64_t byte_size) const {
    return offset <= place_.byte_size && byte_size <= place_.byte_size - offset;
  }

  // Copies the bytes from `offset` on, in the region. Precondition of both: Holds.
  // Return FAILED_PRECONDITION if the object was cut short, RESOURCE_EXHAUSTED if its file system
  // is full.
  absl::Status Read(std::uint64_t offset, std::span<std::byte> to) const;
  absl::Status Write(std::uint64_t offset, std::span<const std::byte> from) const;

 private:
  SharedMemoryRegion(SharedMemoryPlace place, int descriptor)
      : place_(std::move(place)), descriptor_(descriptor) {}

  const SharedMemoryPlace place_;
  const int descriptor_;
};

// Whether `key` is a plain name of an object: letters, digits and other printable ASCII without
// '/', perhaps one '/' before it, at most 255 bytes, not "." or "..", and none of the names that
// semaphores have.
bool IsSharedMemoryKey(const std::string& key);

}  // namespace octet
