// SPDX-License-Identifier: Apache-2.0

#include "server/process/log_line.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "models/base/utf8.h"

namespace octet {
namespace {

// Whether it may end a line, move a cursor or turn the direction of what follows.
bool IsDangerous(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
         code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

void AppendEscaped(const Utf8Character& character, absl::string_view bytes, std::string& out) {
  switch (character.code) {
    case kNoCharacter:
      out += "\\ufffd";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    case '"':
    case '\\':
      out += '\\';
      break;
    default:
      if (!IsDangerous(character.code)) break;
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(character.code));
      return;
  }
  out.append(bytes.data(), character.num_bytes);
}

// Whether a value can stand in a line of text without quotes.
bool IsPlain(absl::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("_.:/@+-").find(c) != absl::string_view::npos;
  });
}

}  // namespace

std::optional<LogFormat> ParseLogFormat(absl::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

const char* LogFormatName(LogFormat format) { return format == LogFormat::kJson ? "json" : "text"; }

std::string Rfc3339(std::chrono::system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return absl::StrFormat(
      "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
      parts.tm_hour, parts.tm_min, parts.tm_sec,
      std::chrono::duration_cast<std::chrono::microseconds>(time - whole).count());
}

std::string EscapedForLog(absl::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes) + 3);
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character character = FirstCharacter(text.substr(at));
    if (at + character.num_bytes > max_bytes) {
      out += "...";
      break;
    }
    AppendEscaped(character, text.substr(at), out);
    at += character.num_bytes;
  }
  return out;
}

LogLine::LogLine(LogFormat format, std::chrono::system_clock::time_point time,
                 absl::string_view level, absl::string_view message)
    : format_(format) {
  const std::string escaped = EscapedForLog(message, kMostMessageBytes);
  line_ = format == LogFormat::kJson ? absl::StrCat(R"({"time":")", Rfc3339(time), R"(","level":")",
                                                    level, R"(","message":")", escaped, "\"")
                                     : absl::StrCat(Rfc3339(time), " ", level, " ", escaped);
}

LogLine& LogLine::Add(absl::string_view name, absl::string_view value) {
  if (format_ == LogFormat::kText && IsPlain(value) && value.size() <= kMostValueBytes) {
    AddRaw(name, value);
  } else {
    AddRaw(name, absl::StrCat("\"", EscapedForLog(value, kMostValueBytes), "\""));
  }
  return *this;
}

LogLine& LogLine::AddNumber(absl::string_view name, std::uint64_t value) {
  AddRaw(name, absl::StrCat(value));
  return *this;
}

LogLine& LogLine::AddMicroseconds(absl::string_view name, std::chrono::nanoseconds value) {
  AddRaw(name, absl::StrFormat("%.1f", static_cast<double>(value.count()) * 1e-3));
  return *this;
}

void LogLine::AddRaw(absl::string_view name, absl::string_view value) {
  if (format_ == LogFormat::kJson) {
    absl::StrAppend(&line_, ",\"", name, "\":", value);
  } else {
    absl::StrAppend(&line_, " ", name, "=", value);
  }
}

std::string LogLine::Take() && {
  line_ += format_ == LogFormat::kJson ? "}\n" : "\n";
  return std::move(line_);
}

}  // namespace octet
