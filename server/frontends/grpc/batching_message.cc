// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/grpc/batching_message.h"

#include <chrono>

namespace octet {
namespace {

std::uint64_t Microseconds(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

void Describe(const WaitingPolicy& policy, inference::ModelQueuePolicy& message) {
  message.set_timeout_action(policy.action == TimeoutAction::kDelay
                                 ? inference::ModelQueuePolicy::DELAY
                                 : inference::ModelQueuePolicy::REJECT);
  message.set_default_timeout_microseconds(Microseconds(policy.timeout));
  message.set_allow_timeout_override(policy.allows_override);
  message.set_max_queue_size(static_cast<std::uint32_t>(policy.max_requests));
}

}  // namespace

void Describe(const ModelScheduling& scheduling, inference::ModelDynamicBatching& message) {
  for (const std::int64_t rows : scheduling.preferred_rows) {
    message.add_preferred_batch_size(static_cast<std::int32_t>(rows));
  }
  message.set_max_queue_delay_microseconds(Microseconds(scheduling.max_queue_delay));
  message.set_preserve_ordering(scheduling.preserves_order);
  message.set_priority_levels(scheduling.priority_levels);
  message.set_default_priority_level(scheduling.default_level);
  if (!scheduling.has_waiting_policy) return;
  Describe(scheduling.default_policy, *message.mutable_default_queue_policy());
  for (const auto& [level, policy] : scheduling.policy_of_level) {
    Describe(policy, (*message.mutable_priority_queue_policy())[level]);
  }
}

}  // namespace octet
