// SPDX-License-Identifier: Apache-2.0
// Counts the requests inside the server, stops new ones and tells when the last is done.

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"
#include "server/scheduling/event_source.h"

namespace octet {

// How many requests have come in and gone out again, ever.
struct RequestCounts {
  std::uint64_t entered = 0;
  std::uint64_t left = 0;
  friend bool operator==(const RequestCounts&, const RequestCounts&) = default;
};

// Thread safety: any thread may call any method.
class DrainGate {
 public:
  // One request inside. Borrows its gate.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave();
    }

   private:
    friend class DrainGate;
    explicit Pass(DrainGate* gate) : gate_(gate) {}
    DrainGate* gate_ = nullptr;
  };

  // Returns nullopt after Close().
  std::optional<Pass> Enter() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on nobody enters.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns whether nobody is inside, at `until` at the latest.
  bool WaitUntilEmpty(TimePoint until) ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] std::int64_t inside() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no lock: a thread of low priority may ask, which must never hold up a request.
  [[nodiscard]] RequestCounts counts() const {
    // In this order, so that nobody is seen to leave who was not seen to enter.
    const std::uint64_t left = left_.load(std::memory_order_acquire);
    return {.entered = entered_.load(std::memory_order_acquire), .left = left};
  }

 private:
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  CondVar emptied_;
  std::int64_t inside_ ABSL_GUARDED_BY(mutex_) = 0;
  // Written under the lock.
  std::atomic<std::uint64_t> entered_ = 0;
  std::atomic<std::uint64_t> left_ = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace octet
