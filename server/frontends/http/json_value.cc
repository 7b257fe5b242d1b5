// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/json_value.h"

#include <charconv>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace octet {
namespace {

template <typename T>
bool IsExactly(absl::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

bool ReadNumber(JsonReader& reader, ParameterValue& value) {
  absl::string_view text;
  if (!reader.Number(text)) return false;
  std::int64_t whole = 0;
  std::uint64_t large = 0;
  double real = 0;
  if (IsExactly(text, whole)) {
    value = whole;
  } else if (IsExactly(text, large)) {
    value = large;
  } else if (IsExactly(text, real)) {
    value = real;
  } else {
    return reader.Fail(absl::InvalidArgumentError(
        absl::StrCat("parameter value ", text.substr(0, 40), " is out of a double's range")));
  }
  return true;
}

}  // namespace

bool ReadParameterValue(JsonReader& reader, ParameterValue& value) {
  switch (reader.Peek()) {
    case JsonReader::Kind::kBool:
      return reader.Bool(value.emplace<bool>());
    case JsonReader::Kind::kString:
      return reader.String(value.emplace<std::string>());
    case JsonReader::Kind::kNumber:
      return ReadNumber(reader, value);
    default:
      return reader.Fail(absl::InvalidArgumentError(
          "a parameter's value wants to be a bool, a number or a string"));
  }
}

bool ReadInt64(JsonReader& reader, absl::string_view what, std::int64_t& value) {
  absl::string_view text;
  if (!reader.Number(text)) return false;
  if (IsExactly(text, value)) return true;
  return reader.Fail(absl::InvalidArgumentError(
      absl::StrCat(what, " is ", text.substr(0, 40), ", wants a whole number of 64 bits")));
}

}  // namespace octet
