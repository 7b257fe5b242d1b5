// SPDX-License-Identifier: Apache-2.0
// What the tuner knows of the world: time, requests, and how it works without being in the way.

#pragma once

#include <chrono>

#include "absl/functional/function_ref.h"

#include "server/scheduling/drain_gate.h"

namespace octet {

// TuningThread is the real one; tests have one whose time they tell.
class TuningEnvironment {
 public:
  virtual ~TuningEnvironment() = default;

  // Any thread may ask these three, at any time; they take no lock.
  [[nodiscard]] virtual RequestCounts requests() const = 0;
  // Of a clock that never goes back, of any origin.
  [[nodiscard]] virtual std::chrono::nanoseconds now() const = 0;
  // Whether the tuner is to end as soon as it can.
  [[nodiscard]] virtual bool stopped() const = 0;

  // Returns after `time`, or sooner once stopped.
  virtual void Wait(std::chrono::nanoseconds time) = 0;

  // Returns once what is served has changed since the last call, or since the start; false: it was
  // stopped.
  virtual bool WaitForChange() = 0;

  // Runs `work` at the lowest priority, on a thread that may compute, and returns when it is done.
  virtual void RunAside(absl::FunctionRef<void()> work) = 0;

  // Runs `work` at the usual priority, unless stopped: who stops waits until it is done. Returns
  // whether it ran.
  virtual bool RunUnlessStopped(absl::FunctionRef<void()> work) = 0;
};

}  // namespace octet
