// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process really has: its affinity and cpuset, and the quota of its control
// groups (cgroup v1 or v2) with all their ancestors.
//
// The files are read below a root folder, so that tests use trees of their own.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace octet {

struct CpuBudget {
  int affinity_cpus = 1;                          // what sched_getaffinity allows, at least 1
  std::optional<int> cpuset_cpus = std::nullopt;  // of the control group, where it says so
  std::optional<double> quota_cpus =
      std::nullopt;  // the smallest quota of the group and its ancestors
  int workers = 1;   // threads that may compute at once

  friend bool operator==(const CpuBudget&, const CpuBudget&) = default;
};

// How many threads may compute at once on `cpus` CPUs under `quota`. At least 1.
//
// A quota is rounded to the nearest whole number, but below 2 it is one thread: two threads that
// share 1.5 CPUs use up the period's quota early and then both stand still for the rest of it, up
// to 100 ms. Pure.
int WorkersFor(int cpus, std::optional<double> quota);

// The number of CPUs in a list such as "0-3,8". Returns nullopt if it is empty or is not such a
// list. Pure.
std::optional<int> CountCpuList(absl::string_view list);

// The quota in a cgroup v2 `cpu.max`: "max 100000", "150000 100000". Returns nullopt for no quota
// and for anything else. Pure.
std::optional<double> ParseCpuMax(absl::string_view text);

// Where a process's control groups are, from its /proc/self/cgroup.
struct CgroupPaths {
  std::optional<std::string> unified;  // v2: "0::/a/b"
  std::optional<std::string> cpu;      // v1: "4:cpu,cpuacct:/a"
  std::optional<std::string> cpuset;   // v1
};
// Pure. A path that tries to leave the hierarchy ("..") is taken for its root: it is what a process
// sees whose group lies outside its cgroup namespace.
CgroupPaths ParseCgroupPaths(absl::string_view text);

// Everything, for this process. `root` is where proc and sys/fs/cgroup lie ("/");
// `affinity_cpus` is what sched_getaffinity allows, asked here if it is 0. Files that are missing
// or do not parse limit nothing.
CpuBudget ReadCpuBudget(const std::string& root = "/", int affinity_cpus = 0);

// How often the quota stopped the process's control group.
struct CpuThrottling {
  std::uint64_t periods = 0;
  std::uint64_t throttled_periods = 0;
  std::chrono::nanoseconds throttled_time{0};
};
// From `cpu.stat` of the group; nullopt where there is none.
std::optional<CpuThrottling> ReadCpuThrottling(const std::string& root = "/");

}  // namespace octet
