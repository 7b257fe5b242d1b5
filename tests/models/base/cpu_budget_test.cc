// SPDX-License-Identifier: Apache-2.0

#include "models/base/cpu_budget.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <unistd.h>

#include "gtest/gtest.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""us;

TEST(WorkersForTest, WithoutQuotaEveryCpuWorks) {
  EXPECT_EQ(WorkersFor(1, std::nullopt), 1);
  EXPECT_EQ(WorkersFor(16, std::nullopt), 16);
  EXPECT_EQ(WorkersFor(0, std::nullopt), 1);
}

TEST(WorkersForTest, QuotaBelowTwoIsOneThread) {
  EXPECT_EQ(WorkersFor(8, 0.1), 1);
  EXPECT_EQ(WorkersFor(8, 1.5), 1);
  EXPECT_EQ(WorkersFor(8, 1.999), 1);
}

TEST(WorkersForTest, LargerQuotaIsRoundedAndNeverBeyondTheCpus) {
  EXPECT_EQ(WorkersFor(8, 2.0), 2);
  EXPECT_EQ(WorkersFor(8, 2.4), 2);
  EXPECT_EQ(WorkersFor(8, 2.5), 3);
  EXPECT_EQ(WorkersFor(8, 3.2), 3);
  EXPECT_EQ(WorkersFor(2, 64.0), 2);
  EXPECT_EQ(WorkersFor(2, 1e300), 2);
}

TEST(CountCpuListTest, CountsRangesAndSingles) {
  EXPECT_EQ(CountCpuList("0\n"), 1);
  EXPECT_EQ(CountCpuList("0-3"), 4);
  EXPECT_EQ(CountCpuList("0-3,8,10-11\n"), 7);
}

TEST(CountCpuListTest, RefusesWhatIsNoList) {
  for (const char* text : {"", "\n", "a", "1-", "-1", "3-1", "1,,2", "0-99999999999"}) {
    EXPECT_EQ(CountCpuList(text), std::nullopt) << text;
  }
}

TEST(ParseCpuMaxTest, ReadsQuotaOverPeriod) {
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 1.5);
  EXPECT_EQ(ParseCpuMax("50000"), 0.5);
  EXPECT_EQ(ParseCpuMax("max 100000\n"), std::nullopt);
  for (const char* text : {"", "0 100000", "-1 100000", "1 0", "1 2 3", "x 1"}) {
    EXPECT_EQ(ParseCpuMax(text), std::nullopt) << text;
  }
}

TEST(ParseCgroupPathsTest, FindsUnifiedAndControllers) {
  const CgroupPaths v2 = ParseCgroupPaths("0::/kubepods/pod1/c\n");
  EXPECT_EQ(v2.unified, "/kubepods/pod1/c");
  EXPECT_EQ(v2.cpu, std::nullopt);
  const CgroupPaths v1 =
      ParseCgroupPaths("12:cpuset:/set\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/init\n");
  EXPECT_EQ(v1.unified, std::nullopt);
  EXPECT_EQ(v1.cpu, "/docker/x");
  EXPECT_EQ(v1.cpuset, "/set");
}

TEST(ParseCgroupPathsTest, PathOutsideTheNamespaceIsTheRoot) {
  EXPECT_EQ(ParseCgroupPaths("0::/../../other\n").unified, "/");
  EXPECT_EQ(ParseCgroupPaths("0::relative\ngarbage\n").unified, std::nullopt);
}

// A fake file system with just the files a test writes.
class CpuBudgetTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::temp_directory_path() / ("octet_cpu_budget_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const fs::path file = root_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  [[nodiscard]] CpuBudget Read(int affinity_cpus) const {
    return ReadCpuBudget(root_.string(), affinity_cpus);
  }

  fs::path root_;
};

TEST_F(CpuBudgetTreeTest, NoFilesMeansTheAffinity) {
  EXPECT_EQ(Read(4), (CpuBudget{.affinity_cpus = 4, .workers = 4}));
}

TEST_F(CpuBudgetTreeTest, SmallestQuotaOfAllAncestorsCounts) {
  Write("proc/self/cgroup", "0::/pods/pod/container\n");
  Write("sys/fs/cgroup/pods/pod/container/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/pods/pod/cpu.max", "250000 100000\n");
  Write("sys/fs/cgroup/pods/cpu.max", "800000 100000\n");
  const CpuBudget budget = Read(16);
  EXPECT_EQ(budget.quota_cpus, 2.5);
  EXPECT_EQ(budget.workers, 3);
}

TEST_F(CpuBudgetTreeTest, UnmountedPathFallsBackToTheMount) {
  Write("proc/self/cgroup", "0::/system.slice/docker-1.scope\n");
  Write("sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(Read(8).workers, 1);
}

TEST_F(CpuBudgetTreeTest, CpusetLimitsTheCpus) {
  Write("proc/self/cgroup", "0::/a\n");
  Write("sys/fs/cgroup/a/cpuset.cpus.effective", "0-1\n");
  const CpuBudget budget = Read(8);
  EXPECT_EQ(budget.cpuset_cpus, 2);
  EXPECT_EQ(budget.workers, 2);
}

TEST_F(CpuBudgetTreeTest, VersionOneQuotaAndCpuset) {
  Write("proc/self/cgroup", "4:cpu,cpuacct:/docker/x\n3:cpuset:/docker/x\n");
  Write("sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "400000\n");
  Write("sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/cpuset/docker/x/cpuset.cpus", "0-2\n");
  const CpuBudget budget = Read(8);
  EXPECT_EQ(budget.quota_cpus, 4.0);
  EXPECT_EQ(budget.cpuset_cpus, 3);
  EXPECT_EQ(budget.workers, 3);
}

TEST_F(CpuBudgetTreeTest, ThrottlingOfBothVersions) {
  EXPECT_FALSE(ReadCpuThrottling(root_.string()).has_value());
  Write("proc/self/cgroup", "0::/a\n");
  Write("sys/fs/cgroup/a/cpu.stat",
        "usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500\n");
  const std::optional<CpuThrottling> v2 = ReadCpuThrottling(root_.string());
  ASSERT_TRUE(v2.has_value());
  EXPECT_EQ(v2->periods, 10U);
  EXPECT_EQ(v2->throttled_periods, 3U);
  EXPECT_EQ(v2->throttled_time, 1500us);

  Write("proc/self/cgroup", "4:cpu:/b\n");
  Write("sys/fs/cgroup/cpu/b/cpu.stat", "nr_periods 7\nnr_throttled 1\nthrottled_time 2000\n");
  const std::optional<CpuThrottling> v1 = ReadCpuThrottling(root_.string());
  ASSERT_TRUE(v1.has_value());
  EXPECT_EQ(v1->throttled_time, 2us);
}

TEST_F(CpuBudgetTreeTest, CpuStatWithoutPeriodsIsNoQuota) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 5\nuser_usec 3\n");
  EXPECT_FALSE(ReadCpuThrottling(root_.string()).has_value());
}

TEST(CpuBudgetTest, ThisProcessHasAtLeastOneWorker) {
  const CpuBudget budget = ReadCpuBudget();
  EXPECT_GE(budget.workers, 1);
  EXPECT_LE(budget.workers, budget.affinity_cpus);
}

}  // namespace
}  // namespace octet
