// SPDX-License-Identifier: Apache-2.0

#include "server/process/cpu_budget_watch.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

// A control group of version 2 below a folder, whose files change.
class CpuBudgetWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / absl::StrCat("octet_cpu_budget_watch_", ::getpid());
    Write("proc/self/cgroup", "0::/pod/server\n");
    Write("sys/fs/cgroup/cgroup.controllers", "cpu cpuset\n");
    Write("sys/fs/cgroup/pod/server/cpu.max", "400000 100000\n");
    Write("sys/fs/cgroup/pod/server/cpuset.cpus.effective", "0-7\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  CpuBudget Read() { return ReadCpuBudget(root_.string(), affinity_); }

  CpuBudgetWatch Watch(std::size_t started) {
    return {{.started = started,
             .read = [this] { return Read(); },
             .apply = [this](std::size_t count) { applied_.push_back(count); }},
            Read()};
  }

  fs::path root_;
  int affinity_ = 8;
  std::vector<std::size_t> applied_;
};

TEST_F(CpuBudgetWatchTest, QuotaIsFollowedDownAndUp) {
  CpuBudgetWatch watch = Watch(4);
  watch.Look();
  EXPECT_TRUE(applied_.empty());
  for (const auto& [quota, computing] : std::vector<std::pair<std::string, std::size_t>>{
           {"200000 100000", 2}, {"50000 100000", 1}, {"300000 100000", 3}, {"max 100000", 4}}) {
    Write("sys/fs/cgroup/pod/server/cpu.max", quota);
    applied_.clear();
    watch.Look();
    watch.Look();
    EXPECT_EQ(applied_, std::vector<std::size_t>{computing}) << quota;
  }
}

TEST_F(CpuBudgetWatchTest, AncestorsAndCpusetCount) {
  CpuBudgetWatch watch = Watch(4);
  Write("sys/fs/cgroup/pod/cpu.max", "100000 100000");
  watch.Look();
  Write("sys/fs/cgroup/pod/cpu.max", "max 100000");
  Write("sys/fs/cgroup/pod/server/cpuset.cpus.effective", "2-3");
  watch.Look();
  EXPECT_EQ(applied_, (std::vector<std::size_t>{1, 2}));
}

TEST_F(CpuBudgetWatchTest, AffinityIsFollowed) {
  CpuBudgetWatch watch = Watch(4);
  affinity_ = 1;
  watch.Look();
  affinity_ = 8;
  watch.Look();
  EXPECT_EQ(applied_, (std::vector<std::size_t>{1, 4}));
}

TEST_F(CpuBudgetWatchTest, NoMoreThanWereStarted) {
  CpuBudgetWatch watch = Watch(4);
  Write("sys/fs/cgroup/pod/server/cpu.max", "800000 100000");
  watch.Look();
  EXPECT_TRUE(applied_.empty());
}

TEST_F(CpuBudgetWatchTest, FilesThatBreakLimitNothing) {
  CpuBudgetWatch watch = Watch(4);
  for (const char* const text : {"", "x", "-1 100000", "0 0", "99999999999999999999 1"}) {
    Write("sys/fs/cgroup/pod/server/cpu.max", text);
    watch.Look();
  }
  EXPECT_TRUE(applied_.empty());
}

}  // namespace
}  // namespace octet
