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

const char* VersionStateName(VersionState state) {
  switch (state) {
    case VersionState::kReady:
      return "READY";
    case VersionState::kUnavailable:
      return "UNAVAILABLE";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kUnloading:
      return "UNLOADING";
  }
  return "UNAVAILABLE";
}

ModelRepository::ModelRepository(SettingsOfModels settings) : settings_(std::move(settings)) {}

absl::StatusOr<std::optional<std::int64_t>> ModelRepository::NumberOf(
    absl::string_view name, absl::string_view version) const {
  const std::optional<std::int64_t> number = ParseVersion(version);
  if (number || std::all_of(version.begin(), version.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    return number;
  }
  const auto settings = settings_.find(name);
  if (settings == settings_.end() || settings->second.labels.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("model ", Quoted(name), ": version ",
                                                   Quoted(version),
                                                   " is no number, wants 1, 2 and so on"));
  }
  const auto& labels = settings->second.labels;
  if (const auto label = labels.find(version); label != labels.end()) return label->second;
  return absl::InvalidArgumentError(
      absl::StrCat("model ", Quoted(name), ": version ", Quoted(version),
                   " is no number and no label of it, wants 1, 2 and so on, or ",
                   absl::StrJoin(labels, ", ", [](std::string* out, const auto& entry) {
                     absl::StrAppend(out, entry.first);
                   })));
}

absl::StatusOr<ModelHandle> ModelRepository::Find(absl::string_view name,
                                                  absl::string_view version) const {
  std::optional<std::int64_t> wanted;
  if (!version.empty()) {
    ASSIGN_OR_RETURN(wanted, NumberOf(name, version));
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

const ModelSettings* ModelRepository::SettingsOf(absl::string_view name) const {
  const auto found = settings_.find(name);
  return found == settings_.end() ? nullptr : &found->second;
}

ModelHandle ModelRepository::Publish(ModelHandle handle, std::string reason) {
  MutexLock lock(mutex_);
  Slot& slot = models_[handle->name][handle->version];
  slot.state = VersionState::kReady;
  slot.reason = std::move(reason);
  slot.handle.swap(handle);
  return handle;
}

absl::Status ModelRepository::Replace(const ModelHandle& expected, ModelHandle handle) {
  {
    MutexLock lock(mutex_);
    const auto model = models_.find(handle->name);
    if (model != models_.end()) {
      const auto slot = model->second.find(handle->version);
      if (slot != model->second.end() && expected && slot->second.handle == expected) {
        // The old one is released without the lock: it may be the last to hold it.
        slot->second.handle.swap(handle);
        return absl::OkStatus();
      }
    }
  }
  return absl::NotFoundError(absl::StrCat("model ", Quoted(handle->name), " version ",
                                          handle->version, " is not served any more as it was"));
}

void ModelRepository::Describe(const std::string& name, std::int64_t version, VersionState state,
                               std::string reason) {
  MutexLock lock(mutex_);
  Slot& slot = models_[name][version];
  if (!slot.handle) slot.state = state;
  slot.reason = std::move(reason);
}

ModelHandle ModelRepository::TakeAway(const std::string& name, std::int64_t version,
                                      std::string reason) {
  MutexLock lock(mutex_);
  Slot& slot = models_[name][version];
  slot.state = VersionState::kUnloading;
  slot.reason = std::move(reason);
  return std::exchange(slot.handle, nullptr);
}

void ModelRepository::Forget(const std::string& name, std::int64_t version) {
  MutexLock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) return;
  const auto slot = model->second.find(version);
  if (slot == model->second.end() || slot->second.handle) return;
  model->second.erase(slot);
  if (model->second.empty()) models_.erase(model);
}

ModelHandle ModelRepository::Served(const std::string& name, std::int64_t version) const {
  MutexLock lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) return nullptr;
  const auto slot = model->second.find(version);
  return slot == model->second.end() ? nullptr : slot->second.handle;
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
      entries.push_back({name, version > 0 ? absl::StrCat(version) : "", slot.state, slot.reason});
    }
  }
  return entries;
}

}  // namespace octet
