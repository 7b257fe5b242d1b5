// SPDX-License-Identifier: Apache-2.0

#include "server/config/field_value.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status Unfit(absl::string_view got, absl::string_view wants) {
  return absl::InvalidArgumentError(absl::StrCat("got \"", got, "\", wants ", wants));
}

absl::Status SetDuration(absl::string_view text, const FieldDescriptor& field, Message& message) {
  ASSIGN_OR_RETURN(const std::chrono::nanoseconds duration, ParseDuration(text));
  google::protobuf::Duration value;
  value.set_seconds(duration.count() / 1'000'000'000);
  value.set_nanos(static_cast<std::int32_t>(duration.count() % 1'000'000'000));
  message.GetReflection()->MutableMessage(&message, &field)->CopyFrom(value);
  return absl::OkStatus();
}

// Of a uint32 or uint64, in its range.
absl::StatusOr<std::uint64_t> ParseUnsigned(absl::string_view text, const FieldDescriptor& field) {
  const bool is_wide = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  std::uint64_t value = 0;
  if (absl::EndsWith(absl::string_view(field.name()), "_bytes")) {
    ASSIGN_OR_RETURN(value, ParseByteSize(text));
  } else if (!absl::SimpleAtoi(text, &value)) {
    return Unfit(text, "a whole number from 0");
  }
  if (!is_wide && value > std::numeric_limits<std::uint32_t>::max()) {
    return Unfit(text, absl::StrCat("at most ", std::numeric_limits<std::uint32_t>::max()));
  }
  return value;
}

absl::Status SetUnsigned(absl::string_view text, const FieldDescriptor& field, Message& message) {
  ASSIGN_OR_RETURN(const std::uint64_t value, ParseUnsigned(text, field));
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
    message.GetReflection()->SetUInt64(&message, &field, value);
  } else {
    message.GetReflection()->SetUInt32(&message, &field, static_cast<std::uint32_t>(value));
  }
  return absl::OkStatus();
}

absl::Status SetDouble(absl::string_view text, const FieldDescriptor& field, Message& message) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return Unfit(text, "a number");
  message.GetReflection()->SetDouble(&message, &field, value);
  return absl::OkStatus();
}

absl::Status SetBool(absl::string_view text, const FieldDescriptor& field, Message& message) {
  if (text != "true" && text != "false") return Unfit(text, "true or false");
  message.GetReflection()->SetBool(&message, &field, text == "true");
  return absl::OkStatus();
}

}  // namespace

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}

absl::StatusOr<std::chrono::nanoseconds> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  // A century fits into nanoseconds.
  if (!absl::ParseDuration(std::string(text), &duration) || duration < absl::ZeroDuration() ||
      duration > absl::Hours(24 * 36525)) {
    return Unfit(text, "a duration such as 0, 500ms, 5s or 2m");
  }
  return absl::ToChronoNanoseconds(duration);
}

absl::StatusOr<std::uint64_t> ParseByteSize(absl::string_view text) {
  struct Unit {
    absl::string_view name;
    int shift;
  };
  constexpr std::array kUnits = {Unit{"KiB", 10}, Unit{"MiB", 20}, Unit{"GiB", 30}};
  absl::string_view number = text;
  int shift = 0;
  for (const Unit& unit : kUnits) {
    if (absl::ConsumeSuffix(&number, unit.name)) {
      shift = unit.shift;
      break;
    }
  }
  std::uint64_t value = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(number), &value) ||
      value > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return Unfit(text, "a size such as 1048576, 64KiB, 64MiB or 1GiB");
  }
  return value << shift;
}

absl::Status SetField(absl::string_view text, const FieldDescriptor& field, Message& message) {
  if (IsDuration(field)) return SetDuration(text, field, message);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      message.GetReflection()->SetString(&message, &field, std::string(text));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(text, field, message);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetDouble(text, field, message);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetUnsigned(text, field, message);
    default:
      return Unfit(text, absl::StrCat("the entries of ", field.name()));
  }
}

absl::Status AddToField(absl::string_view text, const FieldDescriptor& field, Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection.AddString(&message, &field, std::string(text));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_UINT32: {
      ASSIGN_OR_RETURN(const std::uint64_t value, ParseUnsigned(text, field));
      reflection.AddUInt32(&message, &field, static_cast<std::uint32_t>(value));
      return absl::OkStatus();
    }
    default:
      return Unfit(text, absl::StrCat("what ", field.name(), " is a list of"));
  }
}

}  // namespace octet
