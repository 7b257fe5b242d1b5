// SPDX-License-Identifier: Apache-2.0

#include "models/base/cpu_budget.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sched.h>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace octet {
namespace {

constexpr int kMostCpus = 65536;  // far beyond any machine; keeps sums small

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return text;
}

std::optional<std::int64_t> ReadInteger(const std::string& path) {
  const std::optional<std::string> text = ReadFile(path);
  std::int64_t value = 0;
  if (!text || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &value)) return std::nullopt;
  return value;
}

int AffinityCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  // More CPUs than a cpu_set_t holds.
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// The folders of a group and its ancestors under `mount`, the group first. The mount itself is
// always last: inside a container the group's own path often is not mounted.
std::vector<std::string> GroupAndAncestors(const std::string& mount, const std::string& path) {
  std::vector<std::string> folders;
  std::string rest = path;
  while (rest.size() > 1) {
    folders.push_back(absl::StrCat(mount, rest));
    rest.resize(rest.rfind('/'));
  }
  folders.push_back(mount);
  return folders;
}

void LimitQuota(std::optional<double> found, std::optional<double>& quota) {
  if (found && (!quota || *found < *quota)) quota = found;
}

// cgroup v1 keeps quota and period in two files; a quota of -1 is none.
std::optional<double> ReadCfsQuota(const std::string& folder) {
  const auto quota = ReadInteger(absl::StrCat(folder, "/cpu.cfs_quota_us"));
  const auto period = ReadInteger(absl::StrCat(folder, "/cpu.cfs_period_us"));
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<int> ReadCpuList(const std::string& path) {
  const std::optional<std::string> text = ReadFile(path);
  return text ? CountCpuList(*text) : std::nullopt;
}

struct Hierarchy {
  std::string mount;
  std::string path;
};

struct Hierarchies {
  std::optional<Hierarchy> unified;
  std::optional<Hierarchy> cpu;     // v1
  std::optional<Hierarchy> cpuset;  // v1
};

Hierarchies FindHierarchies(const std::string& root) {
  const CgroupPaths paths =
      ParseCgroupPaths(ReadFile(absl::StrCat(root, "/proc/self/cgroup")).value_or(""));
  const std::string base = absl::StrCat(root, "/sys/fs/cgroup");
  Hierarchies found;
  if (paths.unified) {
    // In the hybrid layout the v2 tree has a place of its own and carries no cpu controller.
    found.unified = Hierarchy{base, *paths.unified};
  }
  if (paths.cpu) found.cpu = Hierarchy{absl::StrCat(base, "/cpu"), *paths.cpu};
  if (paths.cpuset) found.cpuset = Hierarchy{absl::StrCat(base, "/cpuset"), *paths.cpuset};
  return found;
}

}  // namespace

int WorkersFor(int cpus, std::optional<double> quota) {
  const int available = std::max(1, cpus);
  if (!quota) return available;
  if (!(*quota >= 2.0)) return 1;
  const double rounded = std::floor(std::min(*quota, static_cast<double>(kMostCpus)) + 0.5);
  return std::min(available, static_cast<int>(rounded));
}

std::optional<int> CountCpuList(absl::string_view list) {
  std::int64_t count = 0;
  for (absl::string_view range : absl::StrSplit(absl::StripAsciiWhitespace(list), ',')) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(range, absl::MaxSplits('-', 1));
    std::int64_t first = 0;
    if (!absl::SimpleAtoi(ends.first, &first)) return std::nullopt;
    std::int64_t last = first;
    if (absl::StrContains(range, '-') && !absl::SimpleAtoi(ends.second, &last)) {
      return std::nullopt;
    }
    if (first < 0 || last < first || last >= kMostCpus) return std::nullopt;
    count += last - first + 1;
    if (count > kMostCpus) return std::nullopt;
  }
  return static_cast<int>(count);
}

std::optional<double> ParseCpuMax(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::StripAsciiWhitespace(text), ' ', absl::SkipEmpty());
  std::int64_t quota = 0;
  std::int64_t period = 100'000;
  if (words.empty() || words.size() > 2 || !absl::SimpleAtoi(words[0], &quota)) return std::nullopt;
  if (words.size() == 2 && !absl::SimpleAtoi(words[1], &period)) return std::nullopt;
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<double>(quota) / static_cast<double>(period);
}

CgroupPaths ParseCgroupPaths(absl::string_view text) {
  CgroupPaths paths;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || !absl::StartsWith(fields[2], "/")) continue;
    const bool leaves = absl::StrContains(fields[2], "/..");
    std::string path(leaves ? "/" : fields[2]);
    if (fields[0] == "0" && fields[1].empty()) {
      paths.unified = path;
      continue;
    }
    for (absl::string_view controller : absl::StrSplit(fields[1], ',')) {
      if (controller == "cpu") paths.cpu = path;
      if (controller == "cpuset") paths.cpuset = path;
    }
  }
  return paths;
}

CpuBudget ReadCpuBudget(const std::string& root, int affinity_cpus) {
  CpuBudget budget;
  budget.affinity_cpus = affinity_cpus > 0 ? affinity_cpus : AffinityCpus();
  const Hierarchies found = FindHierarchies(root);
  if (found.unified) {
    for (const std::string& folder : GroupAndAncestors(found.unified->mount, found.unified->path)) {
      const std::optional<std::string> max = ReadFile(absl::StrCat(folder, "/cpu.max"));
      if (max) LimitQuota(ParseCpuMax(*max), budget.quota_cpus);
      if (!budget.cpuset_cpus) {
        budget.cpuset_cpus = ReadCpuList(absl::StrCat(folder, "/cpuset.cpus.effective"));
      }
    }
  }
  if (found.cpu) {
    for (const std::string& folder : GroupAndAncestors(found.cpu->mount, found.cpu->path)) {
      LimitQuota(ReadCfsQuota(folder), budget.quota_cpus);
    }
  }
  if (found.cpuset && !budget.cpuset_cpus) {
    for (const std::string& folder : GroupAndAncestors(found.cpuset->mount, found.cpuset->path)) {
      budget.cpuset_cpus = ReadCpuList(absl::StrCat(folder, "/cpuset.effective_cpus"));
      if (!budget.cpuset_cpus) {
        budget.cpuset_cpus = ReadCpuList(absl::StrCat(folder, "/cpuset.cpus"));
      }
      if (budget.cpuset_cpus) break;
    }
  }
  const int cpus = std::min(budget.affinity_cpus, budget.cpuset_cpus.value_or(kMostCpus));
  budget.workers = WorkersFor(cpus, budget.quota_cpus);
  return budget;
}

std::optional<CpuThrottling> ReadCpuThrottling(const std::string& root) {
  const Hierarchies found = FindHierarchies(root);
  std::optional<std::string> text;
  for (const std::optional<Hierarchy>& hierarchy : {found.unified, found.cpu}) {
    if (!hierarchy) continue;
    for (const std::string& folder : GroupAndAncestors(hierarchy->mount, hierarchy->path)) {
      if (!text) text = ReadFile(absl::StrCat(folder, "/cpu.stat"));
    }
  }
  if (!text) return std::nullopt;
  CpuThrottling throttling;
  bool has_periods = false;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    std::uint64_t value = 0;
    if (!absl::SimpleAtoi(field.second, &value)) continue;
    if (field.first == "nr_periods") {
      throttling.periods = value;
      has_periods = true;
    }
    if (field.first == "nr_throttled") throttling.throttled_periods = value;
    const std::uint64_t most_nanoseconds =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (field.first == "throttled_usec") {
      throttling.throttled_time = std::chrono::nanoseconds(
          static_cast<std::int64_t>(std::min(value, most_nanoseconds / 1000) * 1000));
    }
    if (field.first == "throttled_time") {
      throttling.throttled_time =
          std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(value, most_nanoseconds)));
    }
  }
  // The root group's cpu.stat has usage only: no quota, nothing to report.
  if (!has_periods) return std::nullopt;
  return throttling;
}

}  // namespace octet
