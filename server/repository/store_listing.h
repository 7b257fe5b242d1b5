// SPDX-License-Identifier: Apache-2.0
// What lies in a model repository's folder, by name and state of the files: no bundle is opened.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

struct StoredVersion {
  std::int64_t version = 0;  // at least 1
  std::string path;          // of the bundle: a folder, or a file ending in ".octet"
  absl::Status status;       // an error: why it is not to be loaded
  // Another one as soon as one of the bundle's files is another, or was written to: which files
  // there are, and of each the inode, the size and the times of the last changes.
  std::string fingerprint = {};
  friend bool operator==(const StoredVersion&, const StoredVersion&) = default;
};

struct StoredModel {
  std::string name;
  std::vector<StoredVersion> versions;  // ascending
  absl::Status status;                  // an error: none of it is to be loaded
  friend bool operator==(const StoredModel&, const StoredModel&) = default;
};

// Whether a folder of this name is a model: letters, digits, '_', '-' and '.', at most 128 of them,
// the first no '.'. Names become URLs, metric labels and log lines as they are.
bool IsModelName(absl::string_view name);

// A whole number from 1 without leading zeros; nullopt for anything else.
std::optional<std::int64_t> ParseVersion(absl::string_view text);

// The models in the folder at `path`, by name. Files beside the models' folders, hidden entries and
// entries that are no versions are passed over.
// Returns NOT_FOUND if the folder is not there, or UNAVAILABLE if it cannot be listed.
absl::StatusOr<std::vector<StoredModel>> ListStore(const std::string& path);

}  // namespace octet
