// SPDX-License-Identifier: Apache-2.0

#include "server/repository/store_listing.h"

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "models/base/status_macros.h"
#include "models/bundle/reader.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kBundleSuffix = ".octet";
constexpr std::size_t kMostNameBytes = 128;

struct Entry {
  std::string name;
  bool is_folder = false;
};

// The entries of a folder, by name, without hidden ones.
absl::StatusOr<std::vector<Entry>> ListFolder(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("\"", path.string(), "\": wants a folder that is there"));
  }
  std::vector<Entry> entries;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (absl::StartsWith(name, ".")) continue;
    std::error_code ignored;  // a link to nowhere is no folder
    entries.push_back({std::move(name), it->is_directory(ignored)});
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat("\"", path.string(), "\": ", error.message()));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

// "<name> <device> <inode> <size> <modified> <changed>\n" of a file; nothing where there is none.
void AddFile(const std::string& path, absl::string_view name, std::string& fingerprint) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return;
  absl::StrAppend(&fingerprint, name, " ", info.st_dev, " ", info.st_ino, " ", info.st_size, " ",
                  info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ", info.st_ctim.tv_sec, ".",
                  info.st_ctim.tv_nsec, "\n");
}

std::string FingerprintOf(const std::string& path, bool is_folder) {
  std::string fingerprint;
  if (!is_folder) AddFile(path, "archive", fingerprint);
  if (is_folder) {
    for (const absl::string_view name : BundleFileNames()) {
      AddFile(absl::StrCat(path, "/", name), name, fingerprint);
    }
  }
  return fingerprint;
}

absl::Status FillVersions(const fs::path& folder, StoredModel& model) {
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ListFolder(folder));
  for (const Entry& entry : entries) {
    absl::string_view number = entry.name;
    if (!entry.is_folder && !absl::ConsumeSuffix(&number, kBundleSuffix)) continue;
    const std::optional<std::int64_t> version = ParseVersion(number);
    if (!version) continue;
    const std::string path = (folder / entry.name).string();
    model.versions.push_back(
        {*version, path, absl::OkStatus(), FingerprintOf(path, entry.is_folder)});
  }
  if (model.versions.empty()) {
    return absl::NotFoundError(
        absl::StrCat("\"", folder.string(), "\" holds no version: wants bundles as ",
                     (folder / "1").string(), "/ or ", (folder / "1").string(), kBundleSuffix));
  }
  std::sort(model.versions.begin(), model.versions.end(),
            [](const StoredVersion& a, const StoredVersion& b) { return a.version < b.version; });
  for (std::size_t i = 1; i < model.versions.size();) {
    if (model.versions[i - 1].version != model.versions[i].version) {
      ++i;
      continue;
    }
    model.versions[i - 1].status = absl::InvalidArgumentError(
        absl::StrCat("stored twice, as \"", model.versions[i - 1].path, "\" and \"",
                     model.versions[i].path, "\"; wants one of them"));
    model.versions.erase(model.versions.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsModelName(absl::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' ||
                  c == '.';
         });
}

std::optional<std::int64_t> ParseVersion(absl::string_view text) {
  std::int64_t version = 0;
  if (text.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(text[0])) || text[0] == '0' ||
      !absl::SimpleAtoi(text, &version) || absl::StrCat(version) != text) {
    return std::nullopt;
  }
  return version;
}

absl::StatusOr<std::vector<StoredModel>> ListStore(const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ListFolder(path));
  std::vector<StoredModel> models;
  for (const Entry& entry : entries) {
    if (!entry.is_folder) continue;
    StoredModel model;
    model.name = entry.name;
    if (IsModelName(entry.name)) {
      model.status = FillVersions(fs::path(path) / entry.name, model);
    } else {
      model.name = absl::CHexEscape(entry.name);
      model.status = absl::InvalidArgumentError(
          absl::StrCat("folder \"", model.name,
                       "\" is no model's name: wants letters, digits, '_', '-' and '.', at most ",
                       kMostNameBytes));
    }
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace octet
