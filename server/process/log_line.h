// SPDX-License-Identifier: Apache-2.0
// One line of the log, in which no stranger's text can end the line or pass for another field.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace octet {

enum class LogFormat : std::uint8_t {
  kText,  // "<time> <level> <message> <name>=<value> ..."
  kJson,  // one object a line
};

// "text" or "json"; nullopt for anything else.
std::optional<LogFormat> ParseLogFormat(absl::string_view name);
const char* LogFormatName(LogFormat format);

// RFC 3339 in UTC, to the microsecond: "2026-02-28T23:59:59.000123Z".
std::string Rfc3339(std::chrono::system_clock::time_point time);

// `text` as it may stand between a JSON string's quotes: quotes, backslashes and everything that
// moves a terminal's cursor or ends a line escaped, bytes that are not UTF-8 replaced by U+FFFD.
// What follows the first `max_bytes` is replaced by "...".
std::string EscapedForLog(absl::string_view text, std::size_t max_bytes);

class LogLine {
 public:
  // The longest message and the longest value of a field, in bytes of what is given.
  static constexpr std::size_t kMostMessageBytes = 2048;
  static constexpr std::size_t kMostValueBytes = 256;

  LogLine(LogFormat format, std::chrono::system_clock::time_point time, absl::string_view level,
          absl::string_view message);

  // `name` is one of this program's.
  LogLine& Add(absl::string_view name, absl::string_view value);
  LogLine& AddNumber(absl::string_view name, std::uint64_t value);
  // In microseconds; `name` ends in "_us".
  LogLine& AddMicroseconds(absl::string_view name, std::chrono::nanoseconds value);

  // The line with its end. The object is used up.
  [[nodiscard]] std::string Take() &&;

 private:
  void AddRaw(absl::string_view name, absl::string_view value);

  const LogFormat format_;
  std::string line_;
};

}  // namespace octet
