// SPDX-License-Identifier: Apache-2.0
// How the requests of one model wait and run together, as its operator wants it; with the meaning
// that Triton's model configuration gives to it. Pure.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "server/scheduling/event_source.h"

namespace octet {

// What happens to a request that has waited for its queue timeout.
enum class TimeoutAction : std::uint8_t {
  kReject,  // it is refused with DEADLINE_EXCEEDED
  kDelay,   // it goes behind all that have not
};

// Of the requests of one model and priority level.
struct WaitingPolicy {
  std::size_t max_requests = 0;         // that wait at once; 0: as many as the server's queue takes
  std::chrono::nanoseconds timeout{0};  // 0: none
  TimeoutAction action = TimeoutAction::kReject;
  bool allows_override = false;  // a request may set itself a timeout, but none that is longer
  friend bool operator==(const WaitingPolicy&, const WaitingPolicy&) = default;
};

struct ModelScheduling {
  static constexpr std::uint32_t kMaxLevels = 64;

  // The most rows of a batch of several requests; 0: as many as pay on this CPU
  // (models/runtime/cost_curve.h).
  std::int64_t max_batch_rows = 0;
  // Ascending. A batch that can have just so many rows has no more, and does not wait for others.
  std::vector<std::int64_t> preferred_rows = {};
  // How long the oldest request waits for others to share its batch, though a worker is idle.
  std::chrono::nanoseconds max_queue_delay{0};
  // Answers leave in the order in which the requests came.
  bool preserves_order = false;
  // Level 1 goes first; 0: all requests are alike.
  std::uint32_t priority_levels = 0;
  std::uint32_t default_level = 0;  // of requests that name none; 1 to priority_levels
  // Without it a request's timeout is its deadline, as with models that have no settings.
  bool has_waiting_policy = false;
  WaitingPolicy default_policy = {};
  std::map<std::uint32_t, WaitingPolicy> policy_of_level = {};
  friend bool operator==(const ModelScheduling&, const ModelScheduling&) = default;
};

// The level that a request with `priority` waits at; one that the model does not have is the
// default. 0 for a model without levels.
std::uint32_t LevelOf(const ModelScheduling& model, std::uint64_t priority);

// How many levels a request at `level` is behind one at the default level; negative: before it. So
// requests at the default level, and those of models without levels, are alike.
std::int64_t LevelsBehind(const ModelScheduling& model, std::uint32_t level);

const WaitingPolicy& PolicyOf(const ModelScheduling& model, std::uint32_t level);

// Until when a request is patient.
struct WaitLimits {
  TimePoint deadline = kNever;  // of its answer
  TimePoint start_by = kNever;  // its batch starts by then, or it is refused
  TimePoint delay_at = kNever;  // if it still waits then, it goes behind the others
};
// Of a request with the deadline `deadline` and the parameter `timeout`, 0: none.
WaitLimits WaitLimitsOf(const ModelScheduling& model, std::uint32_t level, TimePoint arrival,
                        TimePoint deadline, std::chrono::nanoseconds timeout);

}  // namespace octet
