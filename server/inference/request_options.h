// SPDX-License-Identifier: Apache-2.0
// The parameters of a request, whatever protocol it came in by: what they mean, and which are
// refused (docs/protocol.md).

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet {

// A parameter's value. A whole number is an int64 where it fits, also in what has no types for
// them.
using ParameterValue =
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;

struct RequestOptions {
  bool wants_timing = false;                         // octet_timing
  bool wants_typed_outputs = false;                  // octet_typed_outputs
  bool wants_binary_outputs = false;                 // binary_data_output
  std::optional<std::int64_t> timeout_microseconds;  // timeout, at least 1
  std::optional<std::uint64_t> priority;             // priority
};

// Takes one parameter of a request; one that means nothing is passed over.
// Returns INVALID_ARGUMENT for a value of the wrong type or range, and for a name that is reserved
// and unknown.
absl::Status TakeRequestParameter(absl::string_view name, const ParameterValue& value,
                                  RequestOptions& options);

// Of a requested output: the number of classes that the parameter `classification` asks for.
// Returns INVALID_ARGUMENT for anything but a whole number of at least 1.
absl::StatusOr<std::int64_t> NumClasses(const ParameterValue& value);

// INVALID_ARGUMENT: what `name` got, by its type, and what it wants.
absl::Status WrongParameterType(absl::string_view name, const ParameterValue& value,
                                absl::string_view wanted);

// The time that `options` sets a request; 0: none.
std::chrono::nanoseconds TimeoutOf(const RequestOptions& options);

}  // namespace octet
