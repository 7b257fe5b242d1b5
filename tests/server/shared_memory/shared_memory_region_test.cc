// SPDX-License-Identifier: Apache-2.0

#include "server/shared_memory/shared_memory_region.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/shared_object.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using testing::SharedObject;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::vector<std::byte> Bytes(std::size_t count, std::uint8_t value) {
  return std::vector<std::byte>(count, std::byte{value});
}

TEST(SharedMemoryRegionTest, BytesOfTheRegionAreCopiedBothWays) {
  const SharedObject object(64);
  object.Put(16, Bytes(8, 7));
  const auto region = SharedMemoryRegion::Open({object.key(), 8, 32}).value();
  std::vector<std::byte> read(8);
  ASSERT_TRUE(region->Read(8, read).ok());
  EXPECT_EQ(read, Bytes(8, 7));
  ASSERT_TRUE(region->Write(28, Bytes(4, 9)).ok());
  EXPECT_EQ(object.Get(36, 4), Bytes(4, 9));
  EXPECT_EQ(object.Get(40, 24), Bytes(24, 0));
}

TEST(SharedMemoryRegionTest, KeysHaveASlashBeforeThemOrNone) {
  const SharedObject object(8);
  EXPECT_TRUE(SharedMemoryRegion::Open({object.key(), 0, 8}).ok());
  EXPECT_TRUE(SharedMemoryRegion::Open({object.key().substr(1), 0, 8}).ok());
}

TEST(SharedMemoryRegionTest, KeysThatAreNoNamesAreRefused) {
  const SharedObject object(8);
  const std::vector<std::string> keys = {"",
                                         "/",
                                         "//",
                                         "///",
                                         "/.",
                                         "..",
                                         "../x",
                                         "/../x",
                                         "/dev/shm/x",
                                         "/" + object.key(),
                                         "//" + object.key(),
                                         object.key() + "/",
                                         "/a/b",
                                         "a b",
                                         "a\nb",
                                         std::string("a\0b", 3),
                                         "\xC3\xA4",
                                         "/sem.x",
                                         "sem.x",
                                         std::string(256, 'a'),
                                         "/" + std::string(1 << 20, 'a')};
  for (const std::string& key : keys) {
    EXPECT_FALSE(IsSharedMemoryKey(key)) << key.substr(0, 40);
    const absl::Status status = SharedMemoryRegion::Open({key, 0, 8}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_LT(status.message().size(), 600U);
  }
  EXPECT_TRUE(IsSharedMemoryKey("..."));
  EXPECT_TRUE(IsSharedMemoryKey("/a..b"));
}

TEST(SharedMemoryRegionTest, ObjectsThatAreNotThereAreNotFound) {
  const absl::Status status = SharedMemoryRegion::Open({"/octet_test_nothing", 0, 8}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(Message(status), HasSubstr("octet_test_nothing"));
}

TEST(SharedMemoryRegionTest, NeitherLinksNorFoldersNorPipesAreOpened) {
  const SharedObject object(8);
  const std::string name = object.key().substr(1) + "_other";
  const std::string path = "/dev/shm/" + name;
  ASSERT_EQ(symlink(("/dev/shm" + object.key()).c_str(), path.c_str()), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(SharedMemoryRegion::Open({name, 0, 8}).status()));
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(SharedMemoryRegion::Open({name, 0, 8}).status()));
  ASSERT_EQ(rmdir(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(SharedMemoryRegion::Open({name, 0, 8}).status()));
  ASSERT_EQ(unlink(path.c_str()), 0);
}

TEST(SharedMemoryRegionTest, AnotherUsersObjectHasToBeEverybodys) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes objects of other users";
  const SharedObject object(8, 0600);
  ASSERT_EQ(fchown(object.descriptor(), 12345, 12345), 0);
  const absl::Status status = SharedMemoryRegion::Open({object.key(), 0, 8}).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(Message(status), HasSubstr("is of user 12345, this server runs as user 0"));
  ASSERT_EQ(fchmod(object.descriptor(), 0644), 0);
  EXPECT_FALSE(SharedMemoryRegion::Open({object.key(), 0, 8}).ok());
  ASSERT_EQ(fchmod(object.descriptor(), 0666), 0);
  EXPECT_TRUE(SharedMemoryRegion::Open({object.key(), 0, 8}).ok());
}

TEST(SharedMemoryRegionTest, ALeaseOnTheObjectIsNotWaitedFor) {
  const SharedObject object(8);
  std::signal(SIGIO, SIG_IGN);  // tells the holder that somebody wants to open it
  if (fcntl(object.descriptor(), F_SETLEASE, F_WRLCK) != 0) GTEST_SKIP() << "no leases here";
  // The kernel would break it after 45 s.
  const absl::Status status = SharedMemoryRegion::Open({object.key(), 0, 8}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(fcntl(object.descriptor(), F_SETLEASE, F_UNLCK), 0);
  EXPECT_TRUE(SharedMemoryRegion::Open({object.key(), 0, 8}).ok());
}

TEST(SharedMemoryRegionTest, PlacesBeyondTheObjectAreRefused) {
  const SharedObject object(4096);
  struct Case {
    std::uint64_t offset;
    std::uint64_t byte_size;
  };
  for (const auto& [offset, byte_size] :
       {Case{0, 0}, Case{0, 4097}, Case{4096, 1}, Case{4097, 0}, Case{kMost - 4095, 8192},
        Case{kMost, 1}, Case{1, kMost}, Case{kMost, kMost}, Case{1ULL << 63, 1ULL << 63}}) {
    const absl::Status status =
        SharedMemoryRegion::Open({object.key(), offset, byte_size}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << offset << " " << byte_size;
    EXPECT_THAT(Message(status), HasSubstr("the object has 4096 bytes"));
  }
  EXPECT_TRUE(SharedMemoryRegion::Open({object.key(), 4095, 1}).ok());
}

TEST(SharedMemoryRegionTest, RangesOfTheRegion) {
  const SharedObject object(128);
  const auto region = SharedMemoryRegion::Open({object.key(), 64, 64}).value();
  EXPECT_TRUE(region->Holds(0, 64));
  EXPECT_TRUE(region->Holds(64, 0));
  EXPECT_FALSE(region->Holds(1, 64));
  EXPECT_FALSE(region->Holds(kMost - 3, 4));
  EXPECT_FALSE(region->Holds(kMost, kMost));
  EXPECT_FALSE(region->Holds(0, kMost));
}

TEST(SharedMemoryRegionTest, RefusalsKeepNoDescriptor) {
  const SharedObject object(8);
  const int before = dup(object.descriptor());
  close(before);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(SharedMemoryRegion::Open({object.key(), 0, 9}).ok());
    SharedMemoryRegion::Open({object.key(), 0, 8}).IgnoreError();
  }
  const int after = dup(object.descriptor());
  close(after);
  EXPECT_EQ(after, before);
}

TEST(SharedMemoryRegionTest, AnObjectThatWasCutShortIsAnError) {
  const SharedObject object(8192);
  const auto region = SharedMemoryRegion::Open({object.key(), 0, 8192}).value();
  object.Resize(4096);
  std::vector<std::byte> bytes(4097);
  EXPECT_TRUE(absl::IsFailedPrecondition(region->Read(0, bytes)));
  EXPECT_TRUE(absl::IsFailedPrecondition(region->Write(0, bytes)));
  EXPECT_EQ(object.size(), 4096U);
  bytes.pop_back();
  EXPECT_TRUE(region->Read(0, bytes).ok());
  EXPECT_TRUE(region->Write(0, bytes).ok());
  object.Resize(0);
  EXPECT_TRUE(absl::IsFailedPrecondition(region->Read(0, bytes)));
  EXPECT_TRUE(absl::IsFailedPrecondition(region->Write(8191, std::span(bytes).first(1))));
  EXPECT_EQ(object.size(), 0U);
}

TEST(SharedMemoryRegionTest, AnObjectThatIsCutShortAllTheTimeEndsNothing) {
  constexpr std::size_t kSize = 1 << 20;
  const SharedObject object(kSize);
  const auto region = SharedMemoryRegion::Open({object.key(), 0, kSize}).value();
  std::atomic<bool> is_over = false;
  std::thread hostile([&] {
    while (!is_over) {
      object.Resize(0);
      object.Resize(kSize);
      fallocate(object.descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kSize);
    }
  });
  std::vector<std::byte> bytes(kSize);
  for (int i = 0; i < 200; ++i) {
    const absl::Status read = region->Read(0, bytes);
    EXPECT_TRUE(read.ok() || absl::IsFailedPrecondition(read)) << read;
    const absl::Status write = region->Write(0, bytes);
    EXPECT_TRUE(write.ok() || absl::IsFailedPrecondition(write)) << write;
    EXPECT_LE(object.size(), kSize);
  }
  is_over = true;
  hostile.join();
}

TEST(SharedMemoryRegionTest, LivesOnWhileItIsUnlinked) {
  const SharedObject object(8);
  const auto region = SharedMemoryRegion::Open({object.key(), 0, 8}).value();
  shm_unlink(object.key().c_str());
  object.Put(0, Bytes(8, 3));
  std::vector<std::byte> bytes(8);
  EXPECT_TRUE(region->Read(0, bytes).ok());
  EXPECT_EQ(bytes, Bytes(8, 3));
}

}  // namespace
}  // namespace octet
