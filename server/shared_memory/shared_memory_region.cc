// SPDX-License-Identifier: Apache-2.0

#include "server/shared_memory/shared_memory_region.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet {
namespace {

constexpr std::size_t kMostKeyBytes = 255;

absl::Status CannotOpen(const std::string& key, int error) {
  const std::string what = absl::StrCat("shared memory key ", Quoted(key));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(
          absl::StrCat(what, " is not there; wants an object that the client has made"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(what, ": this server's user may not read and write it"));
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": the server has no descriptor left; raise its limit of open files"));
    case EAGAIN:  // without O_NONBLOCK, the server would wait for it
      return absl::UnavailableError(
          absl::StrCat(what, " is leased to another process; wants one that nobody holds"));
    default:
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is no shared memory object; wants one made with shm_open"));
  }
}

// What a server of many privileges must not do for a client of few.
absl::Status CheckOwner(const std::string& key, const struct stat& status) {
  constexpr mode_t kEverybody = S_IROTH | S_IWOTH;
  if (status.st_uid == geteuid() || (status.st_mode & kEverybody) == kEverybody) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(
      absl::StrCat("shared memory key ", Quoted(key), " is of user ", status.st_uid,
                   ", this server runs as user ", geteuid(),
                   "; wants one of that user, or one that everybody may read and write (0666)"));
}

absl::Status CheckObject(const SharedMemoryPlace& place, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return CannotOpen(place.key, EINVAL);
  RETURN_IF_ERROR(CheckOwner(place.key, status));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (place.byte_size > 0 && place.offset <= size && place.byte_size <= size - place.offset) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "shared memory key ", Quoted(place.key), ": got offset ", place.offset, " and byte_size ",
      place.byte_size, ", the object has ", size, " bytes; wants at least 1 byte, all within it"));
}

absl::Status CutShort() {
  return absl::FailedPreconditionError(
      "the shared memory object has been cut short since it was registered; register it anew");
}

}  // namespace

bool IsSharedMemoryKey(const std::string& key) {
  const absl::string_view name = absl::StripPrefix(key, "/");
  const auto is_plain = [](char c) { return c > ' ' && c <= '~' && c != '/'; };
  return !name.empty() && name.size() <= kMostKeyBytes && name != "." && name != ".." &&
         !absl::StartsWith(name, "sem.") && std::all_of(name.begin(), name.end(), is_plain);
}

absl::StatusOr<std::shared_ptr<const SharedMemoryRegion>> SharedMemoryRegion::Open(
    SharedMemoryPlace place) {
  if (!IsSharedMemoryKey(place.key)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shared memory key ", Quoted(place.key),
                     " is none; wants a name as of shm_open: printable ASCII without spaces, of at "
                     "most ",
                     kMostKeyBytes, " bytes, '/' only before it, and not beginning with sem."));
  }
  const std::string path = absl::StrCat("/", absl::StripPrefix(place.key, "/"));
  // shm_open follows no symbolic link. Nothing that blocks is waited for.
  const int descriptor = shm_open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
  if (descriptor < 0) return CannotOpen(place.key, errno);
  // Owns the descriptor from here on.
  const std::shared_ptr<const SharedMemoryRegion> region(
      new SharedMemoryRegion(std::move(place), descriptor));
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return CannotOpen(region->place_.key, errno);
  RETURN_IF_ERROR(CheckObject(region->place_, status));
  return region;
}

SharedMemoryRegion::~SharedMemoryRegion() { close(descriptor_); }

absl::Status SharedMemoryRegion::Read(std::uint64_t offset, std::span<std::byte> to) const {
  std::uint64_t from = place_.offset + offset;
  while (!to.empty()) {
    const ssize_t count = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(from));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return CutShort();
    from += static_cast<std::uint64_t>(count);
    to = to.subspan(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status SharedMemoryRegion::Write(std::uint64_t offset,
                                       std::span<const std::byte> from) const {
  std::uint64_t to = place_.offset + offset;
  // A write beyond the end would make the object longer again. It does where it is cut short just
  // now, by no more than what was registered.
  struct stat status = {};
  if (fstat(descriptor_, &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) < to + from.size()) {
    return CutShort();
  }
  while (!from.empty()) {
    const ssize_t count = pwrite(descriptor_, from.data(), from.size(), static_cast<off_t>(to));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::ResourceExhaustedError(
          "the shared memory object cannot be written to: its file system or the server's limit of "
          "file sizes has no room for it");
    }
    to += static_cast<std::uint64_t>(count);
    from = from.subspan(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

}  // namespace octet
