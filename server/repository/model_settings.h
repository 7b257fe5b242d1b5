// SPDX-License-Identifier: Apache-2.0
// What an operator says of one model: which of its versions are served, and under which labels.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/scheduling/model_scheduling.h"

namespace octet {

// Which of the versions that lie in the store are served.
struct VersionPolicy {
  enum class Kind : std::uint8_t { kAll, kLatest, kSpecific };

  Kind kind = Kind::kAll;
  std::int64_t latest = 1;             // of kLatest: how many, at least 1
  std::vector<std::int64_t> specific;  // of kSpecific: ascending, at least one
  friend bool operator==(const VersionPolicy&, const VersionPolicy&) = default;
};

// "all", "latest", "latest 2", or "specific 1, 3". Returns INVALID_ARGUMENT saying what it got and
// wants.
absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text);

// As ParseVersionPolicy reads it.
std::string ToString(const VersionPolicy& policy);

// Whether a word can stand where a version is asked for: letters, digits, '_', '-' and '.', the
// first a letter, at most 64.
bool IsVersionLabel(absl::string_view label);

struct ModelSettings {
  VersionPolicy policy;
  std::map<std::string, std::int64_t, std::less<>> labels;  // to a version
  ModelScheduling scheduling = {};
  friend bool operator==(const ModelSettings&, const ModelSettings&) = default;
};

// By the model's name; one that is not there has the default settings.
using SettingsOfModels = std::map<std::string, ModelSettings, std::less<>>;

}  // namespace octet
