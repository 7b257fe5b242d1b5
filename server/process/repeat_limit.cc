// SPDX-License-Identifier: Apache-2.0

#include "server/process/repeat_limit.h"

namespace octet {

RepeatLimit::Verdict RepeatLimit::Ask(std::uint64_t kind,
                                      std::chrono::steady_clock::time_point now) {
  Slot& slot = slots_[kind % slots_.size()];
  // Counted from 1, so that a new slot is of no window.
  const auto window = static_cast<std::uint64_t>(now.time_since_epoch() / kWindow) + 1;
  std::uint64_t seen = slot.window_and_count.load(std::memory_order_relaxed);
  while (true) {
    const bool is_same_window = seen >> 32 == (window & 0xFFFFFFFFU);
    const std::uint64_t count = is_same_window ? seen & 0xFFFFFFFFU : 0;
    if (count >= kMostInWindow) break;
    if (slot.window_and_count.compare_exchange_weak(seen, window << 32 | (count + 1),
                                                    std::memory_order_relaxed)) {
      return {.is_let_through = true,
              .suppressed = slot.suppressed.exchange(0, std::memory_order_relaxed)};
    }
  }
  slot.suppressed.fetch_add(1, std::memory_order_relaxed);
  suppressed_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace octet
