// SPDX-License-Identifier: Apache-2.0

#include "server/repository/model_repository.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "server/repository/store_listing.h"

namespace octet {
namespace {

absl::Status NotReady(absl::string_view name, absl::string_view version, absl::string_view reason) {
  return absl::UnavailableError(absl::StrCat("model ", Quoted(name),
                                             version.empty() ? "" : " version ", version,
                                             " is not served: ", reason));
}

}  // namespace

ModelRepository::ModelRepository(std::string path, const BundleLoader& loader, Metrics& metrics)
    : path_(std::move(path)), loader_(loader), metrics_(metrics) {}

absl::Status ModelRepository::LoadAll(const std::function<void(const LoadOutcome&)>& on_outcome,
                                      const std::function<bool()>& keep_going) {
  ASSIGN_OR_RETURN(const std::vector<StoredModel> stored, ListStore(path_));
  const auto finish = [&](std::int64_t version, const LoadOutcome& outcome) {
    Keep(version, outcome);
    if (on_outcome) on_outcome(outcome);
  };
  const auto refuse = [&](const std::string& name, std::int64_t version, absl::Status status) {
    LoadOutcome outcome;
    outcome.name = name;
    if (version > 0) outcome.version = absl::StrCat(version);
    outcome.status = std::move(status);
    outcome.step = LoadStep::kFind;
    metrics_.RecordLoadFailure(outcome.name, outcome.version, outcome.step);
    finish(version, outcome);
  };
  AnnounceAll(stored);
  for (const StoredModel& model : stored) {
    if (!model.status.ok()) {
      refuse(model.name, 0, model.status);
      continue;
    }
    for (const StoredVersion& version : model.versions) {
      if (keep_going && !keep_going()) return absl::CancelledError("loading was stopped");
      if (version.status.ok()) {
        finish(version.version, loader_.Load(model.name, version.version, version.path));
      } else {
        refuse(model.name, version.version, version.status);
      }
    }
  }
  return absl::OkStatus();
}

void ModelRepository::AnnounceAll(const std::vector<StoredModel>& stored) {
  MutexLock lock(mutex_);
  for (const StoredModel& model : stored) {
    for (const StoredVersion& version : model.versions) {
      models_[model.name][version.version].reason = "it is not loaded yet; try again later";
    }
  }
}

void ModelRepository::Keep(std::int64_t version, const LoadOutcome& outcome) {
  Slot slot{outcome.handle, outcome.handle ? "" : DescribeFailure(outcome)};
  MutexLock lock(mutex_);
  models_[outcome.name][version] = std::move(slot);
}

absl::StatusOr<ModelHandle> ModelRepository::Find(absl::string_view name,
                                                  absl::string_view version) const {
  std::optional<std::int64_t> wanted;
  if (!version.empty()) {
    wanted = ParseVersion(version);
    if (!wanted && !std::all_of(version.begin(), version.end(), [](char c) {
          return absl::ascii_isdigit(static_cast<unsigned char>(c));
        })) {
      return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(name), ": version ",
                                                     Quoted(version),
                                                     " is no number, wants 1, 2 and so on"));
    }
  }
  MutexLock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return absl::NotFoundError(absl::StrCat("model ", Quoted(name),
                                            " is unknown; the repository index lists what there "
                                            "is"));
  }
  const Versions& versions = model->second;
  if (version.empty()) {
    // NOLINTNEXTLINE(modernize-loop-convert): Clang 14 lacks the views of libstdc++
    for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
      if (it->second.handle) return it->second.handle;
    }
    return NotReady(name, "", versions.rbegin()->second.reason);
  }
  if (versions.begin()->first == 0) return NotReady(name, "", versions.begin()->second.reason);
  const auto slot = wanted ? versions.find(*wanted) : versions.end();
  if (slot == versions.end()) {
    return absl::NotFoundError(
        absl::StrCat("model ", Quoted(name), " has no version ", Quoted(version), "; it has ",
                     absl::StrJoin(versions, ", ", [](std::string* out, const auto& entry) {
                       absl::StrAppend(out, entry.first);
                     })));
  }
  if (!slot->second.handle) return NotReady(name, version, slot->second.reason);
  return slot->second.handle;
}

absl::Status ModelRepository::Replace(ModelHandle handle) {
  MutexLock lock(mutex_);
  const auto model = models_.find(handle->name);
  if (model != models_.end()) {
    const auto slot = model->second.find(handle->version);
    if (slot != model->second.end() && slot->second.handle) {
      // The old one is released without the lock: it may be the last to hold it.
      slot->second.handle.swap(handle);
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(
      absl::StrCat("model ", Quoted(handle->name), " version ", handle->version, " is not served"));
}

std::vector<ModelHandle> ModelRepository::ReadyVersions() const {
  std::vector<ModelHandle> handles;
  MutexLock lock(mutex_);
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, slot] : versions) {
      if (slot.handle) handles.push_back(slot.handle);
    }
  }
  return handles;
}

std::vector<IndexEntry> ModelRepository::Index() const {
  std::vector<IndexEntry> entries;
  MutexLock lock(mutex_);
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, slot] : versions) {
      entries.push_back({name, version > 0 ? absl::StrCat(version) : "",
                         slot.handle ? VersionState::kReady : VersionState::kUnavailable,
                         slot.reason});
    }
  }
  return entries;
}

}  // namespace octet
