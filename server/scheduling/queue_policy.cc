// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/queue_policy.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace octet {

using std::chrono::nanoseconds;

TimePoint DueTime(const QueuePolicy& policy, TimePoint arrival, TimePoint deadline,
                  std::int64_t levels_behind) {
  return std::min(deadline, arrival + policy.patience) + levels_behind * policy.ageing;
}

TimePoint DelayedDueTime(const QueuePolicy& policy, TimePoint delay_at,
                         std::int64_t levels_behind) {
  return delay_at + policy.delay + levels_behind * policy.ageing;
}

nanoseconds ExpectedWait(const WaitCase& now) {
  std::vector<nanoseconds> busy(now.busy.begin(), now.busy.end());
  std::sort(busy.begin(), busy.end());
  // The first n workers are free when the next one is: they share what is left by then.
  nanoseconds left = std::max(now.work, nanoseconds(0));
  nanoseconds wait = busy[0];
  for (std::size_t n = 1; n < busy.size(); ++n) {
    const auto workers = static_cast<std::int64_t>(n);
    const nanoseconds until_next = busy[n] - wait;
    if (until_next * workers >= left) return wait + left / workers;
    left -= until_next * workers;
    wait = busy[n];
  }
  return wait + left / static_cast<std::int64_t>(busy.size());
}

bool IsInTime(const QueuePolicy& policy, nanoseconds wait, nanoseconds run, nanoseconds left) {
  return static_cast<double>((wait + run).count()) * (1 + policy.reserve) <=
         static_cast<double>(left.count());
}

}  // namespace octet
