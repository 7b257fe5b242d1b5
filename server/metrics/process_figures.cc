// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/process_figures.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace octet {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// When the machine started, in seconds since 1970.
std::uint64_t BootSeconds(const std::string& root) {
  const std::string text = ReadFile(absl::StrCat(root, "/proc/stat"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    std::uint64_t seconds = 0;
    if (field.first == "btime" && absl::SimpleAtoi(field.second, &seconds)) return seconds;
  }
  return 0;
}

std::uint64_t CountEntries(const std::string& folder) {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

std::optional<ProcessStat> ParseProcessStat(absl::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == absl::string_view::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(name_end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  // proc(5) numbers fields from 1; the first one after the name is 3, the state.
  constexpr std::size_t kFirst = 3;
  const auto read = [&fields](std::size_t number, auto& value) {
    return number - kFirst < fields.size() && absl::SimpleAtoi(fields[number - kFirst], &value);
  };
  ProcessStat stat;
  if (!read(14, stat.user_ticks) || !read(15, stat.system_ticks) || !read(20, stat.num_threads) ||
      !read(22, stat.start_ticks) || !read(23, stat.virtual_bytes) ||
      !read(24, stat.resident_pages)) {
    return std::nullopt;
  }
  return stat;
}

ProcessFigures ReadProcessFigures(const std::string& root) {
  ProcessFigures figures;
  const auto stat = ParseProcessStat(ReadFile(absl::StrCat(root, "/proc/self/stat")));
  if (stat) {
    const auto ticks_per_second = static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
    figures.cpu_seconds =
        static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks_per_second;
    figures.start_unix_seconds = static_cast<double>(BootSeconds(root)) +
                                 static_cast<double>(stat->start_ticks) / ticks_per_second;
    figures.resident_bytes =
        stat->resident_pages * static_cast<std::uint64_t>(std::max(1L, sysconf(_SC_PAGESIZE)));
    figures.virtual_bytes = stat->virtual_bytes;
    figures.num_threads = stat->num_threads;
  }
  figures.open_fds = CountEntries(absl::StrCat(root, "/proc/self/fd"));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  return figures;
}

}  // namespace octet
