// SPDX-License-Identifier: Apache-2.0

#include "server/repository/load_plan.h"

#include <algorithm>
#include <set>

namespace octet {
namespace {

using std::chrono::nanoseconds;

bool IsTriedAsItIs(const VersionRecord& version) {
  return version.last_try != LoadTry::kNone && version.tried_fingerprint == version.fingerprint;
}

// Whether it will not be served by what is known of it now.
bool HasFailed(const VersionRecord& version) {
  return !version.is_served && IsTriedAsItIs(version) && version.last_try != LoadTry::kLoaded;
}

// When a stored version is to be tried; nullopt: not as it is.
std::optional<nanoseconds> TryAt(const VersionRecord& version, const LoadTimes& times) {
  if (!IsTriedAsItIs(version)) {
    return version.last_try == LoadTry::kNone ? nanoseconds::min() : version.tried_at + times.retry;
  }
  if (version.last_try == LoadTry::kIncomplete) return version.changed_at + times.settle;
  return std::nullopt;
}

std::set<std::int64_t> WantedVersions(const VersionPolicy& policy,
                                      const std::vector<VersionRecord>& versions) {
  std::set<std::int64_t> wanted;
  for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
    if (!it->is_stored) continue;
    switch (policy.kind) {
      case VersionPolicy::Kind::kAll:
        wanted.insert(it->version);
        break;
      case VersionPolicy::Kind::kSpecific:
        if (std::binary_search(policy.specific.begin(), policy.specific.end(), it->version)) {
          wanted.insert(it->version);
        }
        break;
      case VersionPolicy::Kind::kLatest:
        if (static_cast<std::int64_t>(wanted.size()) < policy.latest && !HasFailed(*it)) {
          wanted.insert(it->version);
        }
        break;
    }
  }
  return wanted;
}

// Whether, of kLatest, a version that does not count now is still to be tried: it may come to be
// wanted.
bool MayCount(const VersionPolicy& policy, const VersionRecord& version,
              const std::set<std::int64_t>& wanted) {
  return policy.kind == VersionPolicy::Kind::kLatest && HasFailed(version) &&
         (static_cast<std::int64_t>(wanted.size()) < policy.latest ||
          version.version > *wanted.begin());
}

}  // namespace

LoadPlan PlanLoads(const VersionPolicy& policy, bool is_held_out,
                   const std::vector<VersionRecord>& versions, const LoadTimes& times,
                   nanoseconds now) {
  LoadPlan plan;
  const auto later = [&plan](nanoseconds when) {
    plan.next = plan.next ? std::min(*plan.next, when) : when;
  };
  if (is_held_out) {
    for (const VersionRecord& version : versions) {
      if (version.is_served) {
        plan.unload.push_back(version.version);
      } else if (version.is_stored) {
        plan.left_out.push_back(version.version);
      }
    }
    return plan;
  }
  const std::set<std::int64_t> wanted = WantedVersions(policy, versions);
  bool has_pending = false;
  for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
    if (!it->is_stored) continue;
    if (!wanted.contains(it->version) && !MayCount(policy, *it, wanted)) {
      if (!it->is_served && !HasFailed(*it)) plan.left_out.push_back(it->version);
      continue;
    }
    const std::optional<nanoseconds> when = TryAt(*it, times);
    if (!when) continue;
    has_pending = true;
    if (*when <= now) {
      plan.load.push_back(it->version);
    } else {
      later(*when);
    }
  }
  for (const VersionRecord& version : versions) {
    if (!version.is_served || wanted.contains(version.version)) continue;
    const nanoseconds gone_at = version.changed_at + times.gone;
    if (!version.is_stored && now < gone_at) {
      later(gone_at);
    } else if (!has_pending) {
      plan.unload.push_back(version.version);
    }
  }
  return plan;
}

}  // namespace octet
