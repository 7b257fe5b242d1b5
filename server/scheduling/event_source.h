// SPDX-License-Identifier: Apache-2.0
// The only way a worker sleeps, is woken, or hears of the world.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace octet {

using TimePoint = std::chrono::steady_clock::time_point;
inline constexpr TimePoint kNever = TimePoint::max();

class EventSource {
 public:
  enum class Polled : std::uint8_t {
    kHandled,   // one event, on the calling thread
    kTimedOut,  // nothing came until `until`
    kShutDown,  // nothing will come any more
  };

  virtual ~EventSource() = default;

  // Waits for one event, at most until `until` (a time that has passed: only looks), and handles
  // it. `worker` is the calling worker's index. Called by one thread at a time.
  virtual Polled Poll(std::size_t worker, TimePoint until) = 0;

  // Makes a Poll return soon: the one that waits, or else the next. Any thread may call it.
  virtual void Wake() = 0;
};

}  // namespace octet
