// SPDX-License-Identifier: Apache-2.0

#include "server/scheduling/drain_gate.h"

namespace octet {

std::optional<DrainGate::Pass> DrainGate::Enter() {
  MutexLock lock(mutex_);
  if (closed_) return std::nullopt;
  ++inside_;
  entered_.fetch_add(1, std::memory_order_release);
  return Pass(this);
}

void DrainGate::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

void DrainGate::Leave() {
  MutexLock lock(mutex_);
  left_.fetch_add(1, std::memory_order_release);
  if (--inside_ == 0) emptied_.NotifyAll();
}

bool DrainGate::WaitUntilEmpty(TimePoint until) {
  MutexLock lock(mutex_);
  while (inside_ > 0) {
    if (until == kNever) {
      emptied_.Wait(mutex_);
      continue;
    }
    if (std::chrono::steady_clock::now() >= until) return false;
    emptied_.WaitUntil(mutex_, until);
  }
  return true;
}

std::int64_t DrainGate::inside() const {
  MutexLock lock(mutex_);
  return inside_;
}

}  // namespace octet
