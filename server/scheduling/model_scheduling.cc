// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/model_scheduling.h"

#include <algorithm>

namespace octet {

using std::chrono::nanoseconds;

std::uint32_t LevelOf(const ModelScheduling& model, std::uint64_t priority) {
  const bool is_known = priority >= 1 && priority <= model.priority_levels;
  return is_known ? static_cast<std::uint32_t>(priority) : model.default_level;
}

std::int64_t LevelsBehind(const ModelScheduling& model, std::uint32_t level) {
  return static_cast<std::int64_t>(level) - static_cast<std::int64_t>(model.default_level);
}

const WaitingPolicy& PolicyOf(const ModelScheduling& model, std::uint32_t level) {
  const auto found = model.policy_of_level.find(level);
  return found == model.policy_of_level.end() ? model.default_policy : found->second;
}

WaitLimits WaitLimitsOf(const ModelScheduling& model, std::uint32_t level, TimePoint arrival,
                        TimePoint deadline, nanoseconds timeout) {
  const auto after = [arrival](nanoseconds time) {
    return time < kNever - arrival ? arrival + time : kNever;
  };
  WaitLimits limits{.deadline = deadline};
  if (!model.has_waiting_policy) {
    if (timeout > nanoseconds(0)) limits.deadline = std::min(deadline, after(timeout));
    return limits;
  }
  const WaitingPolicy& policy = PolicyOf(model, level);
  nanoseconds limit = policy.timeout;
  if (policy.allows_override && timeout > nanoseconds(0)) {
    limit = limit > nanoseconds(0) ? std::min(limit, timeout) : timeout;
  }
  if (limit == nanoseconds(0)) return limits;
  (policy.action == TimeoutAction::kReject ? limits.start_by : limits.delay_at) = after(limit);
  return limits;
}

}  // namespace octet
