// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace octet {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_unix_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::int64_t num_threads = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

// The fields of /proc/self/stat that are used here.
struct ProcessStat {
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::int64_t num_threads = 0;
  std::uint64_t start_ticks = 0;  // since the machine started
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};
// Returns nullopt if `text` is no such line. The program's name may hold blanks and parentheses.
// Pure.
std::optional<ProcessStat> ParseProcessStat(absl::string_view text);

// Reads below `root` ("/"); what cannot be read is 0.
ProcessFigures ReadProcessFigures(const std::string& root);

}  // namespace octet
