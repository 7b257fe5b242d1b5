// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/kernel_choices_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <unistd.h>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "kernels/implementations.h"
#include "models/base/quoted.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextByteSize = 512;  // of a CPU, a kernel set, a layer or a name
constexpr std::size_t kMaxNames = 16;
constexpr std::size_t kMaxBatchSizes = 16;
constexpr std::size_t kNumFixedFields = 5;

std::string FirstLine() {
  return absl::StrCat("octet-kernel-choices 1 kernels ", kernels::kImplementationsRevision);
}

bool IsText(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxTextByteSize &&
         std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isprint(c); });
}

std::optional<std::vector<std::int64_t>> ParseBatchSizes(absl::string_view text) {
  std::vector<std::int64_t> sizes;
  for (const absl::string_view field : absl::StrSplit(text, ',')) {
    std::int64_t size = 0;
    if (sizes.size() == kMaxBatchSizes || !absl::SimpleAtoi(field, &size) || size < 1) {
      return std::nullopt;
    }
    sizes.push_back(size);
  }
  return sizes;
}

std::optional<ImplementationTimes> ParseTimes(absl::string_view text, std::size_t num_sizes) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  ImplementationTimes times{.name = std::string(parts.first), .us = {}};
  for (const absl::string_view field : absl::StrSplit(parts.second, ',')) {
    double us = 0;
    if (times.us.size() == num_sizes || !absl::SimpleAtod(field, &us) || !std::isfinite(us) ||
        us <= 0) {
      return std::nullopt;
    }
    times.us.push_back(us);
  }
  if (!IsText(times.name) || times.us.size() != num_sizes) return std::nullopt;
  return times;
}

struct Entry {
  KernelChoices::Key key;
  KernelChoice choice;
};

std::optional<Entry> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
  if (fields.size() <= kNumFixedFields || fields.size() > kNumFixedFields + kMaxNames ||
      !std::all_of(fields.begin(), fields.begin() + 4, IsText)) {
    return std::nullopt;
  }
  Entry entry;
  entry.key = {.cpu = std::string(fields[0]),
               .kernel_set = std::string(fields[1]),
               .layer = std::string(fields[2])};
  entry.choice.implementation = std::string(fields[3]);
  auto sizes = ParseBatchSizes(fields[4]);
  if (!sizes.has_value()) return std::nullopt;
  entry.choice.batch_sizes = *std::move(sizes);
  for (std::size_t i = kNumFixedFields; i < fields.size(); ++i) {
    auto times = ParseTimes(fields[i], entry.choice.batch_sizes.size());
    if (!times.has_value()) return std::nullopt;
    entry.choice.times.push_back(*std::move(times));
  }
  if (std::ranges::find(entry.choice.times, entry.choice.implementation,
                        &ImplementationTimes::name) == entry.choice.times.end()) {
    return std::nullopt;
  }
  return entry;
}

}  // namespace

std::string SerializeKernelChoices(const KernelChoices& choices) {
  std::string text = absl::StrCat(FirstLine(), "\n");
  for (const auto& [key, choice] : choices.entries()) {
    absl::StrAppend(&text, key.cpu, "\t", key.kernel_set, "\t", key.layer, "\t",
                    choice.implementation, "\t", absl::StrJoin(choice.batch_sizes, ","));
    for (const ImplementationTimes& times : choice.times) {
      absl::StrAppend(&text, "\t", times.name, "=",
                      absl::StrJoin(times.us, ",", [](std::string* out, double us) {
                        absl::StrAppendFormat(out, "%.6g", us);
                      }));
    }
    text += '\n';
  }
  return text;
}

StoredKernelChoices ParseKernelChoices(absl::string_view text) {
  StoredKernelChoices result;
  std::size_t number = 0;
  std::size_t num_bad = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (number == 1) {
      if (line == FirstLine()) continue;
      result.warning = absl::StrCat("begins with ", Quoted(line), ", wants ", Quoted(FirstLine()),
                                    ": nothing of it is used; measure again");
      return result;
    }
    if (line.empty()) continue;
    if (auto entry = ParseLine(line)) {
      result.choices.Set(std::move(entry->key), std::move(entry->choice));
    } else if (++num_bad == 1) {
      result.warning = absl::StrCat("line ", number, " is ", Quoted(line), ", which is left out");
    }
  }
  if (num_bad > 1) absl::StrAppend(&result.warning, ", and ", num_bad - 1, " more");
  return result;
}

StoredKernelChoices ReadKernelChoices(const std::string& path) {
  const auto warn = [&path](absl::string_view what) {
    return StoredKernelChoices{.choices = {}, .warning = absl::StrCat(Quoted(path), ": ", what)};
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::regular) return warn("is not a file that can be read");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return warn("cannot be opened");
  // Of the file that was opened: another one may lie there by now.
  const std::streamoff size = file.tellg();
  if (size < 0 || static_cast<std::size_t>(size) > kMaxKernelChoicesByteSize) {
    return warn(
        absl::StrCat("has more than ", kMaxKernelChoicesByteSize, " bytes: nothing of it is used"));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  StoredKernelChoices result = ParseKernelChoices(text);
  if (!result.warning.empty()) result.warning = absl::StrCat(Quoted(path), ": ", result.warning);
  return result;
}

absl::Status WriteKernelChoices(const std::string& path, const KernelChoices& choices) {
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
  file << SerializeKernelChoices(choices);
  file.close();
  if (!file) return fail("cannot be written");
  std::error_code error;
  fs::rename(temporary, path, error);
  return error ? fail(error.message()) : absl::OkStatus();
}

absl::Status AddToKernelChoices(const std::string& path, const KernelChoices& choices) {
  KernelChoices all = ReadKernelChoices(path).choices;
  for (const auto& [key, choice] : choices.entries()) all.Set(key, choice);
  return WriteKernelChoices(path, all);
}

}  // namespace octet
