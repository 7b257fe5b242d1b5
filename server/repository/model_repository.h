// SPDX-License-Identifier: Apache-2.0
// The models by name, their versions, and who may still be using them.
//
// A repository is a folder: `<repository>/<model>/<version>/` is a bundle as a folder,
// `<repository>/<model>/<version>.octet` one as a file; <version> is a whole number from 1.
// All versions are loaded; a request that names none gets the newest that loaded.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/base/mutex.h"
#include "server/metrics/metrics.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/model_version.h"
#include "server/repository/store_listing.h"

namespace octet {

enum class VersionState : std::uint8_t { kReady, kUnavailable };

// One line of the repository's index.
struct IndexEntry {
  std::string name;
  std::string version;  // empty: the model's folder holds no bundle
  VersionState state = VersionState::kUnavailable;
  std::string reason;  // why it is not ready, and what to do
};

// Thread safety: any thread may call any method at any time, but for LoadAll.
class ModelRepository {
 public:
  // `loader` is borrowed for as long as the repository lives.
  ModelRepository(std::string path, const BundleLoader& loader, Metrics& metrics);

  // Loads every bundle: read, verify, compile, self-test, warm-up. Until it is a version's turn,
  // that one is UNAVAILABLE. A bundle that fails is quarantined: it stays in the index with its
  // reason, and the others serve. `on_outcome`, where given, hears of each version as it comes;
  // `keep_going` is asked before each. Called once. Returns NOT_FOUND or UNAVAILABLE if the folder
  // cannot be listed, CANCELLED if `keep_going` said no; never an error for a bad bundle.
  absl::Status LoadAll(const std::function<void(const LoadOutcome&)>& on_outcome = nullptr,
                       const std::function<bool()>& keep_going = nullptr)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The version called `version`, or the newest ready one if `version` is empty.
  // Returns NOT_FOUND for an unknown model or version, INVALID_ARGUMENT for a version that is not a
  // whole number, UNAVAILABLE with its reason for one that could not be loaded.
  [[nodiscard]] absl::StatusOr<ModelHandle> Find(absl::string_view name,
                                                 absl::string_view version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Puts `handle` in the place of the ready version of its name and number: requests that come now
  // get it, those inside keep the one they have. Returns NOT_FOUND if there is no such one.
  absl::Status Replace(ModelHandle handle) ABSL_LOCKS_EXCLUDED(mutex_);

  // The ready versions of every model, by name and then version.
  [[nodiscard]] std::vector<ModelHandle> ReadyVersions() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Every version that was seen, by name and then version.
  [[nodiscard]] std::vector<IndexEntry> Index() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot {
    ModelHandle handle;  // null: not loaded yet, or quarantined
    std::string reason;
  };
  // Ascending; version 0 stands for a folder without bundles.
  using Versions = std::map<std::int64_t, Slot>;

  void AnnounceAll(const std::vector<StoredModel>& stored) ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(std::int64_t version, const LoadOutcome& outcome) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string path_;
  const BundleLoader& loader_;
  Metrics& metrics_;

  mutable Mutex mutex_;
  std::map<std::string, Versions, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace octet
