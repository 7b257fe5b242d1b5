// SPDX-License-Identifier: Apache-2.0

#include "models/base/memory_limit.h"

#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "models/base/cpu_budget.h"

namespace octet {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Of version 1: a line "4:memory:/a" of /proc/self/cgroup.
std::optional<std::string> MemoryPathV1(const std::string& text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() == 3 && fields[1] == "memory" && fields[2].find("..") == std::string::npos) {
      return fields[2];
    }
  }
  return std::nullopt;
}

// The least of a group and its ancestors; inside a container the mount alone may be there.
void LimitBy(const std::string& mount, std::string path, const std::string& file,
             std::optional<std::uint64_t>& limit) {
  if (path == "/") path.clear();
  while (true) {
    const auto found = ParseMemoryLimit(ReadFile(absl::StrCat(mount, path, "/", file)));
    if (found && (!limit || *found < *limit)) limit = found;
    if (path.empty()) return;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

std::optional<std::uint64_t> ParseMemoryLimit(absl::string_view text) {
  std::uint64_t bytes = 0;
  // Without a limit version 1 has the largest multiple of a page.
  constexpr std::uint64_t kBeyondAnyMachine = std::uint64_t{1} << 60;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &bytes) || bytes >= kBeyondAnyMachine) {
    return std::nullopt;
  }
  return bytes;
}

std::optional<std::uint64_t> ReadMemoryLimit(const std::string& root) {
  const std::string groups = ReadFile(absl::StrCat(root, "/proc/self/cgroup"));
  const std::string mount = absl::StrCat(root, "/sys/fs/cgroup");
  std::optional<std::uint64_t> limit;
  if (const auto path = ParseCgroupPaths(groups).unified)
    LimitBy(mount, *path, "memory.max", limit);
  if (const auto path = MemoryPathV1(groups)) {
    LimitBy(absl::StrCat(mount, "/memory"), *path, "memory.limit_in_bytes", limit);
  }
  return limit;
}

}  // namespace octet
