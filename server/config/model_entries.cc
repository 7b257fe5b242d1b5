// SPDX-License-Identifier: Apache-2.0

#include "server/config/model_entries.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "proto/octet/config/v1/config.pb.h"
#include "server/repository/store_listing.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;

// No request waits longer, and a Duration of it fits into nanoseconds.
constexpr nanoseconds kLongestWait = std::chrono::hours(24);
// A batch that waits longer for others is a mistake: it was meant to be shorter.
constexpr nanoseconds kLongestDelay = std::chrono::seconds(10);

// Errors of one model's entry.
class Errors {
 public:
  Errors(std::string path, std::vector<std::string>& errors)
      : path_(std::move(path)), errors_(errors) {}

  template <typename... Parts>
  void Add(absl::string_view field, const Parts&... what) {
    errors_.push_back(absl::StrCat(path_, ".", field, ": ", what...));
  }

 private:
  const std::string path_;
  std::vector<std::string>& errors_;
};

void TakeLabels(const config::v1::Model& model, Errors& errors, ModelSettings& settings) {
  for (const auto& [label, version] : model.labels()) {
    if (!IsVersionLabel(label)) {
      errors.Add("labels", "got ", Quoted(label),
                 ", wants letters, digits, '_', '-' and '.', the first a letter, at most 64");
    } else if (version == 0 || version > std::numeric_limits<std::int64_t>::max()) {
      errors.Add(absl::StrCat("labels.", label), "got ", version,
                 ", wants a version, which is a whole number from 1");
    } else {
      settings.labels[label] = static_cast<std::int64_t>(version);
    }
  }
}

nanoseconds TakeTime(const google::protobuf::Duration& time, absl::string_view field,
                     nanoseconds longest, Errors& errors) {
  const std::chrono::seconds seconds(time.seconds());
  if (seconds > longest || seconds + nanoseconds(time.nanos()) > longest) {
    errors.Add(field, "got ", time.seconds(), " s, wants at most ",
               std::chrono::duration_cast<std::chrono::seconds>(longest).count(), " s");
    return nanoseconds(0);
  }
  return seconds + nanoseconds(time.nanos());
}

WaitingPolicy TakePolicy(const config::v1::QueuePolicy& policy, const std::string& field,
                         Errors& errors) {
  WaitingPolicy taken;
  taken.max_requests = policy.max_queue_size();
  taken.timeout = TakeTime(policy.default_timeout(), absl::StrCat(field, ".default_timeout"),
                           kLongestWait, errors);
  taken.allows_override = policy.allow_timeout_override();
  if (policy.timeout_action() == "DELAY") {
    taken.action = TimeoutAction::kDelay;
  } else if (policy.has_timeout_action() && policy.timeout_action() != "REJECT") {
    errors.Add(absl::StrCat(field, ".timeout_action"), "got ", Quoted(policy.timeout_action()),
               ", wants REJECT or DELAY");
  }
  return taken;
}

void TakeLevels(const config::v1::DynamicBatching& batching, Errors& errors,
                ModelScheduling& scheduling) {
  constexpr absl::string_view kField = "dynamic_batching.priority_levels";
  if (batching.priority_levels() > ModelScheduling::kMaxLevels) {
    errors.Add(kField, "got ", batching.priority_levels(), ", wants at most ",
               ModelScheduling::kMaxLevels);
    return;
  }
  scheduling.priority_levels = batching.priority_levels();
  scheduling.default_level = batching.has_default_priority_level()
                                 ? batching.default_priority_level()
                                 : (scheduling.priority_levels + 1) / 2;
  if (scheduling.default_level > scheduling.priority_levels ||
      (scheduling.default_level == 0 && scheduling.priority_levels > 0)) {
    errors.Add("dynamic_batching.default_priority_level", "got ", scheduling.default_level,
               ", wants one of the priority_levels, which are 1 to ", scheduling.priority_levels);
  }
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    const std::string field = absl::StrCat("dynamic_batching.priority_queue_policy.", level);
    if (level == 0 || level > scheduling.priority_levels) {
      errors.Add(field, "there is no such level: priority_levels is ", scheduling.priority_levels);
    }
    scheduling.policy_of_level[level] = TakePolicy(policy, field, errors);
  }
  if (scheduling.preserves_order && scheduling.priority_levels > 1) {
    errors.Add("dynamic_batching.preserve_ordering",
               "answers cannot leave in the order of requests that go by priority; wants one "
               "priority level, or false");
  }
}

void TakeScheduling(const config::v1::Model& model, Errors& errors, ModelScheduling& scheduling) {
  const config::v1::DynamicBatching& batching = model.dynamic_batching();
  if (model.has_max_batch_size() && model.max_batch_size() == 0) {
    errors.Add("max_batch_size", "got 0, wants at least 1");
  }
  scheduling.max_batch_rows = model.max_batch_size();
  for (const std::uint32_t rows : batching.preferred_batch_size()) {
    if (rows == 0 || (model.max_batch_size() > 0 && rows > model.max_batch_size())) {
      errors.Add("dynamic_batching.preferred_batch_size", "got ", rows,
                 ", wants 1 to max_batch_size");
    }
    scheduling.preferred_rows.push_back(rows);
  }
  std::ranges::sort(scheduling.preferred_rows);
  scheduling.max_queue_delay = TakeTime(batching.max_queue_delay(),
                                        "dynamic_batching.max_queue_delay", kLongestDelay, errors);
  scheduling.preserves_order = batching.preserve_ordering();
  scheduling.has_waiting_policy =
      batching.has_default_queue_policy() || !batching.priority_queue_policy().empty();
  scheduling.default_policy =
      TakePolicy(batching.default_queue_policy(), "dynamic_batching.default_queue_policy", errors);
  TakeLevels(batching, errors, scheduling);
}

}  // namespace

void TakeModels(const config::v1::ServerConfig& message, absl::string_view origin,
                SettingsOfModels& models, std::vector<std::string>& all_errors) {
  for (int i = 0; i < message.models_size(); ++i) {
    const config::v1::Model& model = message.models(i);
    Errors errors(absl::StrCat(origin, "[", i, "]"), all_errors);
    if (!IsModelName(model.name())) {
      errors.Add("name", "got ", Quoted(model.name()), ", wants a model's name");
      continue;
    }
    const auto [entry, is_first] = models.try_emplace(model.name());
    ModelSettings& settings = entry->second;
    if (!is_first) errors.Add("name", model.name(), " is there twice");
    if (model.has_version_policy()) {
      absl::StatusOr<VersionPolicy> policy = ParseVersionPolicy(model.version_policy());
      if (policy.ok()) {
        settings.policy = *std::move(policy);
      } else {
        errors.Add("version_policy", policy.status().message());
      }
    }
    TakeLabels(model, errors, settings);
    TakeScheduling(model, errors, settings.scheduling);
  }
}

}  // namespace octet
