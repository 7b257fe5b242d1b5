// SPDX-License-Identifier: Apache-2.0
// What the server writes to standard error.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "server/inference/request_observer.h"
#include "server/process/log_line.h"
#include "server/process/log_sink.h"
#include "server/process/repeat_limit.h"
#include "server/repository/bundle_loader.h"

namespace octet {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn" or "error"; nullopt for anything else.
std::optional<LogLevel> ParseLogLevel(absl::string_view name);
const char* LogLevelName(LogLevel level);

// Where the program's log goes while this lives: one line an event, with time and level. One of it
// at a time.
//
// Thread safety: any thread may call any method; none waits for who reads the log.
class ServerLog {
 public:
  struct Options {
    LogFormat format = LogFormat::kText;
    LogLevel level = LogLevel::kInfo;
    int fd = 2;  // borrowed
  };
  // Sends to it what the whole program says through spdlog. Warnings and errors of one text are
  // limited (RepeatLimit).
  explicit ServerLog(Options options);
  // Writes what waits, for a bounded time.
  ~ServerLog();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;

  // A line of a library's, which may hold what strangers have sent: limited by its source.
  void LogLibrary(LogLevel level, absl::string_view library, absl::string_view source,
                  absl::string_view message);

  // The line of one request; those of errors are limited by model and code.
  void LogRequest(const RequestReport& report);

  struct Counts {
    std::uint64_t dropped = 0;     // because too many waited to be written
    std::uint64_t suppressed = 0;  // because the same had been said too often
  };
  [[nodiscard]] Counts counts() const;

 private:
  class SpdlogSink;

  const Options options_;
  RepeatLimit repeats_;
  LogSink sink_;
};

// One line: what was loaded, or what was not, why, and what to do; then one a warning.
void LogOutcome(const LoadOutcome& outcome);

}  // namespace octet
