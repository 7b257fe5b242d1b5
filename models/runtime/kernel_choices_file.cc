// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/kernel_choices_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "kernels/implementations.h"
#include "models/base/quoted.h"
#include "models/runtime/cache_file.h"

namespace octet {
namespace {

constexpr std::size_t kMaxNames = 16;
constexpr std::size_t kMaxBatchSizes = 16;
constexpr std::size_t kNumFixedFields = 5;

std::string FirstLine() {
  return absl::StrCat("octet-kernel-choices 1 kernels ", kernels::kImplementationsRevision);
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
  if (!IsCacheText(times.name) || times.us.size() != num_sizes) return std::nullopt;
  return times;
}

struct Entry {
  KernelChoices::Key key;
  KernelChoice choice;
};

std::optional<Entry> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
  if (fields.size() <= kNumFixedFields || fields.size() > kNumFixedFields + kMaxNames ||
      !std::all_of(fields.begin(), fields.begin() + 4, IsCacheText)) {
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
  result.warning = ParseCacheLines(text, FirstLine(), [&result](absl::string_view line) {
    std::optional<Entry> entry = ParseLine(line);
    if (!entry) return false;
    result.choices.Set(std::move(entry->key), std::move(entry->choice));
    return true;
  });
  return result;
}

StoredKernelChoices ReadKernelChoices(const std::string& path) {
  CacheFile file = ReadCacheFile(path);
  if (!file.text) return {.choices = {}, .warning = std::move(file.warning)};
  StoredKernelChoices result = ParseKernelChoices(*file.text);
  if (!result.warning.empty()) result.warning = absl::StrCat(Quoted(path), ": ", result.warning);
  return result;
}

absl::Status WriteKernelChoices(const std::string& path, const KernelChoices& choices) {
  return ReplaceCacheFile(path, SerializeKernelChoices(choices));
}

absl::Status AddToKernelChoices(const std::string& path, const KernelChoices& choices) {
  KernelChoices all = ReadKernelChoices(path).choices;
  for (const auto& [key, choice] : choices.entries()) all.Set(key, choice);
  return WriteKernelChoices(path, all);
}

}  // namespace octet
