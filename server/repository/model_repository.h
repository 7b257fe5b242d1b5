// SPDX-License-Identifier: Apache-2.0
// The models by name, their versions, and who may still be using them.
//
// A request that names no version gets the newest that is ready; a label stands for a version.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/base/mutex.h"
#include "server/repository/model_settings.h"
#include "server/repository/model_version.h"

namespace octet {

enum class VersionState : std::uint8_t {
  kReady,
  kUnavailable,  // refused, or left out
  kLoading,      // and no older state of it serves
  kUnloading,    // no new request gets it; those inside keep it
};

// "READY" and so on, as the protocol has it.
const char* VersionStateName(VersionState state);

// One line of the repository's index.
struct IndexEntry {
  std::string name;
  std::string version;  // empty: the model's folder holds no bundle
  VersionState state = VersionState::kUnavailable;
  std::string
      reason;  // why it is not ready, and what to do; of one that is, what is wrong all the same
};

// Thread safety: any thread may call any method at any time.
class ModelRepository {
 public:
  // `settings`: of the models that have any.
  explicit ModelRepository(SettingsOfModels settings = {});

  // The version called `version`, a number or a label of the model, or the newest ready one if
  // `version` is empty. Returns NOT_FOUND for an unknown model or version, INVALID_ARGUMENT for
  // what is neither a whole number nor a label of it, UNAVAILABLE with its reason for one that is
  // not ready.
  [[nodiscard]] absl::StatusOr<ModelHandle> Find(absl::string_view name,
                                                 absl::string_view version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The settings of the model called `name`, null if it has none. They live as long as the
  // repository.
  [[nodiscard]] const ModelSettings* SettingsOf(absl::string_view name) const;
  // Of all models that have any.
  [[nodiscard]] const SettingsOfModels& settings() const { return settings_; }

  // From now on requests get `handle`; those inside keep what they have. Returns what served in its
  // place before, or null.
  ModelHandle Publish(ModelHandle handle, std::string reason = "") ABSL_LOCKS_EXCLUDED(mutex_);

  // The same, if `expected` serves in its place. Returns NOT_FOUND if it does not: it was exchanged
  // or unloaded meanwhile.
  absl::Status Replace(const ModelHandle& expected, ModelHandle handle) ABSL_LOCKS_EXCLUDED(mutex_);

  // Says of a version that is not ready why it is not, or of a ready one what is wrong all the
  // same: its state stays then. Version 0 stands for a model without versions.
  void Describe(const std::string& name, std::int64_t version, VersionState state,
                std::string reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // No new request gets the version: it is kUnloading. Returns what served, or null.
  ModelHandle TakeAway(const std::string& name, std::int64_t version, std::string reason)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets a version that is not ready.
  void Forget(const std::string& name, std::int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);

  // What serves as this version; null: nothing.
  [[nodiscard]] ModelHandle Served(const std::string& name, std::int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The ready versions of every model, by name and then version.
  [[nodiscard]] std::vector<ModelHandle> ReadyVersions() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Every version that was seen, by name and then version.
  [[nodiscard]] std::vector<IndexEntry> Index() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot {
    ModelHandle handle;  // null: not ready
    VersionState state = VersionState::kUnavailable;
    std::string reason;
  };
  // Ascending; version 0 stands for a folder without bundles.
  using Versions = std::map<std::int64_t, Slot>;

  // The number that `version` stands for; nullopt for one that no version can have.
  [[nodiscard]] absl::StatusOr<std::optional<std::int64_t>> NumberOf(
      absl::string_view name, absl::string_view version) const;

  const SettingsOfModels settings_;

  mutable Mutex mutex_;
  std::map<std::string, Versions, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
