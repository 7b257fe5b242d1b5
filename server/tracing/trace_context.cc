// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/trace_context.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace octet {
namespace {

// "00-<32 digits>-<16 digits>-<2 digits>".
constexpr std::size_t kLength = 55;
constexpr std::size_t kMostStateBytes = 512;
constexpr std::size_t kMostStateMembers = 32;

// Capitals are none.
std::optional<std::uint8_t> Digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

// Fills `bytes` from twice as many digits.
bool ReadHex(absl::string_view digits, std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto high = Digit(digits[2 * i]);
    const auto low = Digit(digits[2 * i + 1]);
    if (!high || !low) return false;
    bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return true;
}

bool IsZero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// A vendor's name, or tenant@system.
bool IsStateKey(absl::string_view key) {
  constexpr std::size_t kMostBytes = 256;
  if (key.empty() || key.size() > kMostBytes) return false;
  const auto is_low_alpha = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_inner = [&](char c) {
    return is_low_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/';
  };
  const std::size_t at = key.find('@');
  const absl::string_view tenant = key.substr(0, at);
  const auto all_inner = [&](absl::string_view part) {
    return std::all_of(part.begin(), part.end(), is_inner);
  };
  if (at == absl::string_view::npos) return is_low_alpha(key[0]) && all_inner(key);
  const absl::string_view system = key.substr(at + 1);
  constexpr std::size_t kMostTenantBytes = 241;
  constexpr std::size_t kMostSystemBytes = 14;
  if (tenant.empty() || tenant.size() > kMostTenantBytes) return false;
  if (system.empty() || system.size() > kMostSystemBytes) return false;
  return (is_low_alpha(tenant[0]) || is_digit(tenant[0])) && is_low_alpha(system[0]) &&
         all_inner(tenant) && all_inner(system);
}

bool IsStateValue(absl::string_view value) {
  constexpr std::size_t kMostBytes = 256;
  if (value.empty() || value.size() > kMostBytes || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7E && c != ',' && c != '='; });
}

// The members, with single commas between; empty if the header is not a tracestate.
std::string CleanState(absl::string_view text) {
  if (text.size() > 2 * kMostStateBytes) return "";
  std::string state;
  std::set<absl::string_view> keys;
  for (absl::string_view member : absl::StrSplit(text, ',')) {
    member = absl::StripAsciiWhitespace(member);
    if (member.empty()) continue;  // allowed
    const std::size_t equals = member.find('=');
    if (equals == absl::string_view::npos) return "";
    const absl::string_view key = member.substr(0, equals);
    if (!IsStateKey(key) || !IsStateValue(member.substr(equals + 1))) return "";
    if (!keys.insert(key).second || keys.size() > kMostStateMembers) return "";
    if (!state.empty()) state += ',';
    state.append(member.data(), member.size());
  }
  return state.size() > kMostStateBytes ? "" : state;
}

}  // namespace

std::optional<TraceContext> ParseTraceContext(absl::string_view traceparent,
                                              absl::string_view tracestate) {
  const absl::string_view text = absl::StripAsciiWhitespace(traceparent);
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!ReadHex(text.substr(0, 2), version) || !ReadHex(text.substr(3, 32), context.trace_id) ||
      !ReadHex(text.substr(36, 16), context.span_id) || !ReadHex(text.substr(53, 2), flags)) {
    return std::nullopt;
  }
  // A later version may say more, after another dash; there will never be a version ff.
  if (version[0] == 0xFF || (version[0] == 0 && text.size() != kLength)) return std::nullopt;
  if (text.size() > kLength && text[kLength] != '-') return std::nullopt;
  if (IsZero(context.trace_id) || IsZero(context.span_id)) return std::nullopt;
  context.is_sampled = (flags[0] & 1) != 0;
  context.state = CleanState(tracestate);
  return context;
}

std::string Hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

}  // namespace octet
