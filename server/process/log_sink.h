// SPDX-License-Identifier: Apache-2.0
// Lines to a file descriptor, without anybody's waiting for who reads there.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace octet {

// Thread safety: any thread may call any method, but for the destructor.
class LogSink {
 public:
  struct Options {
    int fd = 2;  // borrowed
    std::size_t max_lines = 4096;
    // Lines that wait when the sink ends are written for so long.
    std::chrono::milliseconds flush{1000};
    // Makes a line that says how many were dropped.
    std::function<std::string(std::uint64_t)> describe_dropped = nullptr;
  };
  // Starts the thread `log`.
  explicit LogSink(Options options);
  // Writes what waits. Where the reader does not read, the rest is given up, and the thread with
  // it.
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // `line` has its end. Dropped, and counted, if too many wait: it never waits and takes no lock.
  void Write(std::string line);

  // Lines that were dropped, ever.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  static void Run(State& state);

  const std::shared_ptr<State> state_;  // the thread's too
};

}  // namespace octet
