// SPDX-License-Identifier: Apache-2.0
#include "models/base/memory_limit.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace octet {
namespace {

// A folder with files in the places of proc and sys, gone with this object.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "memory_limit.XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  void Write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = path_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(MemoryLimitTest, ParsesBytesAndTakesEverythingElseForNone) {
  EXPECT_EQ(ParseMemoryLimit("1048576\n"), 1048576U);
  EXPECT_EQ(ParseMemoryLimit("max\n"), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit(""), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit("-1"), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit("12 MiB"), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit("9223372036854771712\n"), std::nullopt);    // no limit of version 1
  EXPECT_EQ(ParseMemoryLimit("99999999999999999999999"), std::nullopt);  // overflows
}

TEST(MemoryLimitTest, TheSmallestOfAGroupAndItsAncestorsCounts) {
  const FakeRoot root;
  root.Write("proc/self/cgroup", "0::/pod/container\n");
  root.Write("sys/fs/cgroup/pod/container/memory.max", "max\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), std::nullopt);
  root.Write("sys/fs/cgroup/pod/memory.max", "3000\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), 3000U);
  root.Write("sys/fs/cgroup/pod/container/memory.max", "2000\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), 2000U);
  root.Write("sys/fs/cgroup/memory.max", "1000\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), 1000U);
}

TEST(MemoryLimitTest, ReadsVersion1) {
  const FakeRoot root;
  root.Write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/x\n");
  root.Write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "5000\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), 5000U);
}

TEST(MemoryLimitTest, APathThatLeavesTheHierarchyIsItsRoot) {
  const FakeRoot root;
  root.Write("proc/self/cgroup", "0::/../../elsewhere\n4:memory:/../x\n");
  root.Write("sys/fs/cgroup/memory.max", "7000\n");
  root.Write("sys/fs/elsewhere/memory.max", "10\n");
  EXPECT_EQ(ReadMemoryLimit(root.path()), 7000U);
}

TEST(MemoryLimitTest, WithoutFilesThereIsNoLimit) {
  const FakeRoot root;
  EXPECT_EQ(ReadMemoryLimit(root.path()), std::nullopt);
}

}  // namespace
}  // namespace octet
