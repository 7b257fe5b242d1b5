// SPDX-License-Identifier: Apache-2.0
// In which order requests wait, and which need not wait at all. Pure.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "server/scheduling/event_source.h"

namespace octet {

struct QueuePolicy {
  // A request is due at its deadline, but no later than so long after it came. So a request without
  // a deadline waits no longer than that behind others that came after it.
  std::chrono::nanoseconds patience = std::chrono::seconds(1);
  // Of what is expected until the answer, kept for what was not foreseen. Under overload all that
  // is admitted is answered by about its deadline: without a reserve half of it is late.
  double reserve = 0.125;
  // A request of the next priority level goes behind all that come up to so long after it: more
  // than `patience`, so that levels go one before the other, and not for ever, so that none
  // starves.
  std::chrono::nanoseconds ageing = std::chrono::seconds(10);
  // A request whose queue timeout has passed (TimeoutAction::kDelay) goes behind all that come up
  // to so long after that.
  std::chrono::nanoseconds delay = std::chrono::minutes(15);
};

// When a request is due: the earliest goes first. `levels_behind`: LevelsBehind.
TimePoint DueTime(const QueuePolicy& policy, TimePoint arrival, TimePoint deadline,
                  std::int64_t levels_behind = 0);

// When a request is due whose queue timeout passed at `delay_at`.
TimePoint DelayedDueTime(const QueuePolicy& policy, TimePoint delay_at,
                         std::int64_t levels_behind = 0);

// What a request finds before it.
struct WaitCase {
  // Until each worker that may compute is free; 0: it is, or nobody knows.
  std::span<const std::chrono::nanoseconds> busy;
  // Of one worker, for those that wait and are due earlier, but for what can share its batch.
  std::chrono::nanoseconds work{0};
};
// How long the request waits if the work is shared out evenly: the time t at which
// the workers will have had `work` time, sum(max(0, t - busy[i])) = work.
// Precondition: there is a worker.
std::chrono::nanoseconds ExpectedWait(const WaitCase& now);

// Whether a request that waits for `wait`, and whose batch then runs for `run`, is answered while
// somebody still waits for it, `left` from now: with the policy's reserve.
bool IsInTime(const QueuePolicy& policy, std::chrono::nanoseconds wait,
              std::chrono::nanoseconds run, std::chrono::nanoseconds left);

}  // namespace octet
