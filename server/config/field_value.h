// SPDX-License-Identifier: Apache-2.0
// Text, from a flag or a scalar in the configuration file, to the field of a proto message.

#pragma once

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace octet {

// "0", "500ms", "1.5s", "2m", "1h". Returns INVALID_ARGUMENT saying what it got and wants.
absl::StatusOr<std::chrono::nanoseconds> ParseDuration(absl::string_view text);

// "1048576", "64MiB", "64 MiB", "1GiB", "10KiB". Returns INVALID_ARGUMENT likewise.
absl::StatusOr<std::uint64_t> ParseByteSize(absl::string_view text);

// Sets a string, bool, number or Duration field; an integer field whose name ends in
// "_bytes" takes sizes. Precondition: the field is not repeated.
// Returns INVALID_ARGUMENT saying what it got and wants; the caller knows the field's path.
absl::Status SetField(absl::string_view text, const google::protobuf::FieldDescriptor& field,
                      google::protobuf::Message& message);

// Adds to a list of strings or of uint32; else as SetField.
absl::Status AddToField(absl::string_view text, const google::protobuf::FieldDescriptor& field,
                        google::protobuf::Message& message);

// Whether the field's value is written as a duration.
bool IsDuration(const google::protobuf::FieldDescriptor& field);

}  // namespace octet
