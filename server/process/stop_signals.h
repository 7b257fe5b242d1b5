// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT, taken by one thread: no room has to know of them.

#pragma once

#include <csignal>

namespace octet {

// One of it in a process, made before any thread is started.
// Thread safety: Wait by the thread that made it; HasCome by any.
class StopSignals {
 public:
  // Blocks both signals in this thread, and so in all that it starts; ignores SIGPIPE.
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one has come that Wait has not returned yet.
  [[nodiscard]] bool HasCome() const;

  // Returns once the first has come. From then on the next one ends the process at once, with
  // status 1.
  void Wait() const;

 private:
  sigset_t set_{};
};

}  // namespace octet
