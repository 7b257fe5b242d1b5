// SPDX-License-Identifier: Apache-2.0
// Text files that keep what was measured, a line for each thing. Caches: whatever is wrong with
// one, nothing is lost but time.

#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet {

// Larger files are not read.
inline constexpr std::size_t kMaxCacheFileByteSize = std::size_t{16} << 20;

struct CacheFile {
  std::optional<std::string> text;
  std::string warning;  // why there is none, naming the path; empty where there is no file
};
CacheFile ReadCacheFile(const std::string& path);

// Replaces the file as a whole, or not at all. Returns UNAVAILABLE with the path and the reason.
absl::Status ReplaceCacheFile(const std::string& path, absl::string_view text);

// Whether it can stand in a field: printable, and at most 512 bytes.
bool IsCacheText(absl::string_view text);

// Hands each line behind the first, which has to be `first_line`, to `parse`, which says whether it
// can be used. Returns what was left out, for people; empty: nothing.
std::string ParseCacheLines(absl::string_view text, absl::string_view first_line,
                            absl::FunctionRef<bool(absl::string_view)> parse);

}  // namespace octet
