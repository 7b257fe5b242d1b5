// SPDX-License-Identifier: Apache-2.0
// The shared memory that clients have registered, by name, and how much of it requests may copy.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "models/base/mutex.h"
#include "server/shared_memory/shared_memory_region.h"

namespace octet {

// Bytes of the server's own, into which a request's inputs are copied. Borrows the
// SharedMemoryRegions that it is counted with.
class SharedMemoryCopy {
 public:
  SharedMemoryCopy(std::atomic<std::uint64_t>& copied_bytes, std::size_t byte_size);
  ~SharedMemoryCopy();
  SharedMemoryCopy(const SharedMemoryCopy&) = delete;
  SharedMemoryCopy& operator=(const SharedMemoryCopy&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() { return {bytes_.get(), byte_size_}; }

 private:
  std::atomic<std::uint64_t>& copied_bytes_;
  const std::size_t byte_size_;
  const std::unique_ptr<std::byte[]> bytes_;  // not set
};

// Thread safety: any thread may call any method.
class SharedMemoryRegions {
 public:
  static constexpr std::size_t kMostRegions = 256;  // each holds a descriptor
  static constexpr std::size_t kMostNameBytes = 256;

  struct Options {
    // What the name in every key begins with, behind a '/'; empty: any name.
    std::string key_prefix;
    std::uint64_t max_request_bytes = std::uint64_t{64} << 20;  // of one request's inputs
    std::uint64_t max_copied_bytes = std::uint64_t{1} << 30;    // of all requests at once
  };

  explicit SharedMemoryRegions(Options options) : options_(std::move(options)) {}

  // Opens `place` and gives it a name. Returns ALREADY_EXISTS for a name that is taken,
  // INVALID_ARGUMENT for one that is empty, too long or no text, PERMISSION_DENIED for a key
  // without the prefix, RESOURCE_EXHAUSTED for too many regions, and the errors of
  // SharedMemoryRegion::Open.
  absl::Status Register(const std::string& name, SharedMemoryPlace place)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes a name away; one that is not there is fine. Requests that have found the region keep it
  // until they are answered.
  void Unregister(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void UnregisterAll() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns NOT_FOUND if there is no region of the name.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> Find(
      const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] std::map<std::string, SharedMemoryPlace> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Memory for one request's inputs. Returns RESOURCE_EXHAUSTED for more than a request may have,
  // or than there is left of what all may have.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<SharedMemoryCopy>> Reserve(std::uint64_t byte_size);

 private:
  using Regions = std::map<std::string, std::shared_ptr<const SharedMemoryRegion>>;

  [[nodiscard]] absl::Status CheckRoom(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  std::atomic<std::uint64_t> copied_bytes_ = 0;

  mutable Mutex mutex_;
  Regions regions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
