// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/mapped_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

absl::Status ErrnoStatus(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("\"", path, "\""));
}

// Closes a descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// The descriptor's size in bytes, if it is a regular file.
absl::StatusOr<std::size_t> SizeOf(const Descriptor& fd, const std::string& path) {
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\": not a regular file"));
  }
  return static_cast<std::size_t>(info.st_size);
}

// Fills `bytes` from the file, which has to be just as long.
absl::Status ReadAll(const Descriptor& fd, const std::string& path, std::span<std::byte> bytes) {
  std::size_t done = 0;
  std::byte beyond{};
  while (true) {
    const std::span<std::byte> rest = bytes.subspan(done);
    const ssize_t got =
        read(fd.get(), rest.empty() ? &beyond : rest.data(), rest.empty() ? 1 : rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path, errno);
    if ((got == 0) == rest.empty()) {
      if (got == 0) return absl::OkStatus();
      done += static_cast<std::size_t>(got);
      continue;
    }
    return absl::DataLossError(absl::StrCat("\"", path, "\": changed its size while it was read"));
  }
}

std::size_t MachineMemory() {
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  // Not blocking, so that a named pipe is refused below rather than waited for.
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return ErrnoStatus(path, errno);
  ASSIGN_OR_RETURN(const std::size_t size, SizeOf(fd, path));
  std::span<const std::byte> bytes;
  if (size > 0) {  // mmap refuses a length of 0
    void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) return ErrnoStatus(path, errno);
    bytes = {static_cast<const std::byte*>(data), size};
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(bytes));
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::ReadCopy(const std::string& path) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return ErrnoStatus(path, errno);
  ASSIGN_OR_RETURN(const std::size_t size, SizeOf(fd, path));
  if (size > MachineMemory()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "\"", path, "\": has ", size, " bytes, this machine's memory ", MachineMemory()));
  }
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile({}));
  void* const data =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return ErrnoStatus(path, errno);
  const std::span<std::byte> bytes(static_cast<std::byte*>(data), size);
  std::shared_ptr<const MappedFile> file(new MappedFile(bytes));
  RETURN_IF_ERROR(ReadAll(fd, path, bytes));
  mprotect(data, size, PROT_READ);
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace octet
