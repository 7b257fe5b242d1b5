// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/cache_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "models/base/quoted.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextByteSize = 512;

}  // namespace

CacheFile ReadCacheFile(const std::string& path) {
  const auto warn = [&path](absl::string_view what) {
    return CacheFile{.text = std::nullopt, .warning = absl::StrCat(Quoted(path), ": ", what)};
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::regular) return warn("is not a file that can be read");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return warn("cannot be opened");
  // Of the file that was opened: another one may lie there by now.
  const std::streamoff size = file.tellg();
  if (size < 0 || static_cast<std::size_t>(size) > kMaxCacheFileByteSize) {
    return warn(
        absl::StrCat("has more than ", kMaxCacheFileByteSize, " bytes: nothing of it is used"));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return {.text = std::move(text), .warning = ""};
}

absl::Status ReplaceCacheFile(const std::string& path, absl::string_view text) {
  // Processes that share the file, each perhaps number 1 of its container, write files of their
  // own.
  const std::string temporary =
      absl::StrFormat("%s.tmp-%d-%08x", path, getpid(), std::random_device()());
  const auto fail = [&](absl::string_view reason) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    return absl::UnavailableError(absl::StrCat(Quoted(path), ": ", reason));
  };
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail("cannot be written");
  std::error_code error;
  fs::rename(temporary, path, error);
  return error ? fail(error.message()) : absl::OkStatus();
}

bool IsCacheText(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxTextByteSize &&
         std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isprint(c); });
}

std::string ParseCacheLines(absl::string_view text, absl::string_view first_line,
                            absl::FunctionRef<bool(absl::string_view)> parse) {
  std::string warning;
  std::size_t number = 0;
  std::size_t num_bad = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (number == 1) {
      if (line == first_line) continue;
      return absl::StrCat("begins with ", Quoted(line), ", wants ", Quoted(first_line),
                          ": nothing of it is used; measure again");
    }
    if (line.empty() || parse(line)) continue;
    if (++num_bad == 1) {
      warning = absl::StrCat("line ", number, " is ", Quoted(line), ", which is left out");
    }
  }
  if (num_bad > 1) absl::StrAppend(&warning, ", and ", num_bad - 1, " more");
  return warning;
}

}  // namespace octet
