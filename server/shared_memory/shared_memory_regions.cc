// SPDX-License-Identifier: Apache-2.0

#include "server/shared_memory/shared_memory_regions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet {
namespace {

absl::Status CheckName(const std::string& name) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; };
  if (!name.empty() && name.size() <= SharedMemoryRegions::kMostNameBytes &&
      std::none_of(name.begin(), name.end(), is_control)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "shared memory region ", Quoted(name), ": got a name of ", name.size(), " bytes, wants 1 to ",
      SharedMemoryRegions::kMostNameBytes, " without control characters"));
}

}  // namespace

SharedMemoryCopy::SharedMemoryCopy(std::atomic<std::uint64_t>& copied_bytes, std::size_t byte_size)
    : copied_bytes_(copied_bytes),
      byte_size_(byte_size),
      bytes_(std::make_unique_for_overwrite<std::byte[]>(byte_size)) {}

SharedMemoryCopy::~SharedMemoryCopy() { copied_bytes_ -= byte_size_; }

absl::Status SharedMemoryRegions::CheckRoom(const std::string& name) const {
  if (regions_.contains(name)) {
    return absl::AlreadyExistsError(
        absl::StrCat("shared memory region ", Quoted(name), " is registered; unregister it first"));
  }
  if (regions_.size() < kMostRegions) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("shared memory region ", Quoted(name),
                                                   ": there are ", regions_.size(),
                                                   " regions, which is the most; unregister some"));
}

absl::Status SharedMemoryRegions::Register(const std::string& name, SharedMemoryPlace place) {
  RETURN_IF_ERROR(CheckName(name));
  if (!absl::StartsWith(absl::StripPrefix(place.key, "/"), options_.key_prefix)) {
    return absl::PermissionDeniedError(absl::StrCat("shared memory key ", Quoted(place.key),
                                                    " is not for this server; wants ",
                                                    Quoted(options_.key_prefix), " before it"));
  }
  {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(CheckRoom(name));  // before a descriptor is taken
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const SharedMemoryRegion> region,
                   SharedMemoryRegion::Open(std::move(place)));
  const MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckRoom(name));
  regions_.emplace(name, std::move(region));
  return absl::OkStatus();
}

void SharedMemoryRegions::Unregister(const std::string& name) {
  Regions::node_type removed;  // closed without the lock
  const MutexLock lock(mutex_);
  removed = regions_.extract(name);
}

void SharedMemoryRegions::UnregisterAll() {
  Regions removed;
  const MutexLock lock(mutex_);
  removed.swap(regions_);
}

absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> SharedMemoryRegions::Find(
    const std::string& name) const {
  const MutexLock lock(mutex_);
  const auto found = regions_.find(name);
  if (found != regions_.end()) return found->second;
  return absl::NotFoundError(
      absl::StrCat("shared memory region ", Quoted(name), " is not registered"));
}

std::map<std::string, SharedMemoryPlace> SharedMemoryRegions::List() const {
  std::map<std::string, SharedMemoryPlace> places;
  const MutexLock lock(mutex_);
  for (const auto& [name, region] : regions_) places.emplace(name, region->place());
  return places;
}

absl::StatusOr<std::unique_ptr<SharedMemoryCopy>> SharedMemoryRegions::Reserve(
    std::uint64_t byte_size) {
  if (byte_size > options_.max_request_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the inputs in shared memory have ", byte_size,
                                                     " bytes, a request may have ",
                                                     options_.max_request_bytes));
  }
  std::uint64_t copied = copied_bytes_.load(std::memory_order_relaxed);
  do {
    if (copied > options_.max_copied_bytes || byte_size > options_.max_copied_bytes - copied) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the requests in the server have copied ", copied, " bytes of shared memory, they may ",
          options_.max_copied_bytes, " and this one wants ", byte_size, "; retry"));
    }
  } while (!copied_bytes_.compare_exchange_weak(copied, copied + byte_size));
  return std::make_unique<SharedMemoryCopy>(copied_bytes_, static_cast<std::size_t>(byte_size));
}

}  // namespace octet
