// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_options.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"

namespace octet {
namespace {

const char* TypeName(const ParameterValue& value) {
  constexpr const char* kNames[] = {"nothing",  "a bool",   "an int64",
                                    "a uint64", "a double", "a string"};
  return kNames[value.index()];
}

bool IsNegative(const ParameterValue& value) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  return number != nullptr && *number < 0;
}

bool IsWhole(const ParameterValue& value) {
  return std::holds_alternative<std::int64_t>(value) ||
         std::holds_alternative<std::uint64_t>(value);
}

absl::Status TakeBool(absl::string_view name, const ParameterValue& value, bool& out) {
  const bool* const flag = std::get_if<bool>(&value);
  if (flag == nullptr) return WrongParameterType(name, value, "a bool");
  out = *flag;
  return absl::OkStatus();
}

}  // namespace

absl::Status WrongParameterType(absl::string_view name, const ParameterValue& value,
                                absl::string_view wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("parameter \"", name, "\": got ", TypeName(value), ", wants ", wanted));
}

absl::Status TakeRequestParameter(absl::string_view name, const ParameterValue& value,
                                  RequestOptions& options) {
  if (name == "octet_timing") return TakeBool(name, value, options.wants_timing);
  if (name == "octet_typed_outputs") return TakeBool(name, value, options.wants_typed_outputs);
  if (name == "binary_data_output") return TakeBool(name, value, options.wants_binary_outputs);
  if (name == "timeout") {
    const auto* const timeout = std::get_if<std::int64_t>(&value);
    if (timeout == nullptr || *timeout < 0) {
      return WrongParameterType(name, value, "microseconds as an int64 of at least 0");
    }
    if (*timeout > 0) options.timeout_microseconds = *timeout;
  } else if (name == "priority") {
    if (!IsWhole(value) || IsNegative(value)) {
      return WrongParameterType(name, value, "a whole number of at least 0");
    }
    const auto* const small = std::get_if<std::int64_t>(&value);
    options.priority =
        small != nullptr ? static_cast<std::uint64_t>(*small) : std::get<std::uint64_t>(value);
  } else if (name == "sequence_id") {
    if (!IsWhole(value) && !std::holds_alternative<std::string>(value)) {
      return WrongParameterType(name, value, "a whole number or a string");
    }
  } else if (name == "sequence_start" || name == "sequence_end" ||
             name == "triton_enable_empty_final_response") {
    // No answer here is empty: the last of each request is its only one.
    bool ignored = false;
    return TakeBool(name, value, ignored);
  } else if (absl::StartsWith(name, "triton_") || absl::StartsWith(name, "octet_")) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", Quoted(name),
                     " is reserved and unknown; wants octet_timing, octet_typed_outputs, "
                     "triton_enable_empty_final_response, or another prefix"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> NumClasses(const ParameterValue& value) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  // A count beyond an int64's is beyond every output's elements, too.
  if (const auto* const count = std::get_if<std::uint64_t>(&value);
      count != nullptr && *count > 0) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(*count, kMost));
  }
  const auto* const count = std::get_if<std::int64_t>(&value);
  if (count == nullptr || *count < 1) {
    return WrongParameterType("classification", value, "an int64 of at least 1");
  }
  return *count;
}

std::chrono::nanoseconds TimeoutOf(const RequestOptions& options) {
  const std::chrono::microseconds timeout(options.timeout_microseconds.value_or(0));
  // More than a day is as good as none, and cannot overflow.
  if (timeout >= std::chrono::hours(24)) return std::chrono::nanoseconds(0);
  return timeout;
}

}  // namespace octet
