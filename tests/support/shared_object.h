// SPDX-License-Identifier: Apache-2.0
// A POSIX shared memory object as a client makes one, removed with this.

#pragma once

#include <atomic>
#include <cstddef>
#include <fcntl.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "gtest/gtest.h"

namespace octet::testing {

class SharedObject {
 public:
  // `byte_size` zeros.
  explicit SharedObject(std::size_t byte_size, mode_t mode = 0600) {
    static std::atomic<int> count = 0;
    key_ = "/octet_test_" + std::to_string(getpid()) + "_" + std::to_string(count++);
    descriptor_ = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, mode);
    EXPECT_GE(descriptor_, 0);
    EXPECT_EQ(fchmod(descriptor_, mode), 0);
    Resize(byte_size);
  }
  ~SharedObject() {
    close(descriptor_);
    shm_unlink(key_.c_str());
  }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void Resize(std::size_t byte_size) const {
    EXPECT_EQ(ftruncate(descriptor_, static_cast<off_t>(byte_size)), 0);
  }
  void Put(std::size_t offset, std::span<const std::byte> bytes) const {
    EXPECT_EQ(pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::vector<std::byte> Get(std::size_t offset, std::size_t byte_size) const {
    std::vector<std::byte> bytes(byte_size);
    EXPECT_EQ(pread(descriptor_, bytes.data(), byte_size, static_cast<off_t>(offset)),
              static_cast<ssize_t>(byte_size));
    return bytes;
  }
  [[nodiscard]] std::size_t size() const {
    struct stat status = {};
    EXPECT_EQ(fstat(descriptor_, &status), 0);
    return static_cast<std::size_t>(status.st_size);
  }

 private:
  std::string key_;
  int descriptor_ = -1;
};

}  // namespace octet::testing
