// SPDX-License-Identifier: Apache-2.0
// How often the same may be said.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

// So many of one kind in each window of time; the rest is counted, and told with the next that is
// let through. Kinds that fall on one slot share it.
//
// Thread safety: any thread; takes no lock.
class RepeatLimit {
 public:
  static constexpr std::uint32_t kMostInWindow = 10;
  static constexpr std::chrono::seconds kWindow{10};

  struct Verdict {
    bool is_let_through = false;
    std::uint64_t suppressed = 0;  // since the last that was let through
  };
  // `kind` is a hash of it.
  Verdict Ask(std::uint64_t kind, std::chrono::steady_clock::time_point now);

  // Of all kinds, ever.
  [[nodiscard]] std::uint64_t suppressed() const {
    return suppressed_.load(std::memory_order_relaxed);
  }

 private:
  struct Slot {
    std::atomic<std::uint64_t> window_and_count{0};  // the window's number, and 32 bits of count
    std::atomic<std::uint64_t> suppressed{0};
  };
  std::array<Slot, 256> slots_;
  std::atomic<std::uint64_t> suppressed_{0};
};

}  // namespace octet
