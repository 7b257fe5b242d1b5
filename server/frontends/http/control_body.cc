// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/control_body.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"

#include "models/base/status_macros.h"
#include "server/frontends/http/json_reader.h"
#include "server/frontends/http/json_value.h"
#include "server/inference/repository_requests.h"

namespace octet {
namespace {

using Member = absl::FunctionRef<bool(JsonReader& reader, absl::string_view name)>;

absl::Status ReadMembers(absl::string_view body, Member member) {
  if (absl::StripAsciiWhitespace(body).empty()) return absl::OkStatus();
  JsonReader reader(body);
  reader.Object([&](absl::string_view name) { return member(reader, name); });
  reader.End();
  return reader.status();
}

bool Check(JsonReader& reader, absl::Status status) {
  return status.ok() || reader.Fail(std::move(status));
}

bool ReadTexts(JsonReader& reader, std::vector<std::string>& texts) {
  constexpr std::size_t kMostTexts = 64;
  const auto text = [&] {
    if (texts.size() == kMostTexts) {
      return reader.Fail(absl::InvalidArgumentError("a setting has too many values"));
    }
    return reader.String(texts.emplace_back());
  };
  switch (reader.Peek()) {
    case JsonReader::Kind::kNull:
      return reader.Null();
    case JsonReader::Kind::kArray:
      return reader.Array(text);
    default:
      return text();
  }
}

bool ReadLogValue(JsonReader& reader, LogValue& value) {
  switch (reader.Peek()) {
    case JsonReader::Kind::kBool:
      return reader.Bool(value.emplace<bool>());
    case JsonReader::Kind::kNumber: {
      std::int64_t number = 0;
      if (!ReadInt64(reader, "a log setting", number)) return false;
      // What is none of the settings' is of the wrong type.
      if (number >= 0 && number <= std::numeric_limits<std::uint32_t>::max()) {
        value = static_cast<std::uint32_t>(number);
      }
      return true;
    }
    default:
      return reader.String(value.emplace<std::string>());
  }
}

}  // namespace

absl::StatusOr<bool> ReadIndexBody(absl::string_view body) {
  bool only_ready = false;
  RETURN_IF_ERROR(ReadMembers(body, [&](JsonReader& reader, absl::string_view name) {
    return name == "ready" ? reader.Bool(only_ready) : reader.Skip();
  }));
  return only_ready;
}

absl::Status CheckManagementBody(absl::string_view body) {
  return ReadMembers(body, [](JsonReader& reader, absl::string_view name) {
    if (name != "parameters") return reader.Skip();
    return reader.Object([&reader](absl::string_view parameter) {
      return Check(reader, CheckRepositoryParameter(parameter)) && reader.Skip();
    });
  });
}

absl::Status CheckTraceBody(const TraceValues& current, absl::string_view body) {
  return ReadMembers(body, [&](JsonReader& reader, absl::string_view name) {
    std::vector<std::string> texts;
    return ReadTexts(reader, texts) &&
           Check(reader, CheckTraceValue(current, std::string(name), texts));
  });
}

absl::Status CheckLogBody(const LogValues& current, absl::string_view body) {
  return ReadMembers(body, [&](JsonReader& reader, absl::string_view name) {
    LogValue value;
    return ReadLogValue(reader, value) &&
           Check(reader, CheckLogValue(current, std::string(name), value));
  });
}

}  // namespace octet
