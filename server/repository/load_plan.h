// SPDX-License-Identifier: Apache-2.0
// What of a model is to be loaded and unloaded next, given what lies in the store and what came of
// the tries so far. Pure.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/repository/model_settings.h"

namespace octet {

// What came of the last try to load a version.
enum class LoadTry : std::uint8_t {
  kNone,
  kLoaded,
  kIncomplete,  // not whole, by its manifest, and perhaps still being written
  kRefused,
};

// One version, as it lies in the store and as it is served. Times are of one clock that never goes
// back.
struct VersionRecord {
  std::int64_t version = 0;
  bool is_stored = false;
  std::string fingerprint;                 // of what is stored
  std::chrono::nanoseconds changed_at{0};  // since when it is so, or is not stored
  LoadTry last_try = LoadTry::kNone;
  std::string tried_fingerprint;  // of what was tried
  std::chrono::nanoseconds tried_at{0};
  bool is_served = false;  // perhaps as it was before it changed
};

struct LoadTimes {
  // A version that is not whole is refused once nothing has changed in it for so long.
  std::chrono::nanoseconds settle = std::chrono::seconds(5);
  // A version is gone once it was not seen for so long: it may be exchanged by two renames.
  std::chrono::nanoseconds gone = std::chrono::seconds(1);
  // At least between two tries of one version.
  std::chrono::nanoseconds retry = std::chrono::milliseconds(250);
};

struct LoadPlan {
  std::vector<std::int64_t> load;    // newest first
  std::vector<std::int64_t> unload;  // ascending
  // Stored, not served, and not to be: by the policy, or because the model is held out.
  std::vector<std::int64_t> left_out;
  // When to ask again, if nothing changes before; nullopt: only then.
  std::optional<std::chrono::nanoseconds> next;
};

// `versions` are those of one model, ascending. `is_held_out`: an operator had it unloaded.
//
// A version that was served stays until every newer try has ended: whoever names no version is
// served all the time. Of kLatest, versions that could not be loaded do not count.
LoadPlan PlanLoads(const VersionPolicy& policy, bool is_held_out,
                   const std::vector<VersionRecord>& versions, const LoadTimes& times,
                   std::chrono::nanoseconds now);

}  // namespace octet
