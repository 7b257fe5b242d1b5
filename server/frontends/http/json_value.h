// SPDX-License-Identifier: Apache-2.0
// Single values of the protocol's JSON.

#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

#include "server/frontends/http/json_reader.h"
#include "server/inference/request_options.h"

namespace octet {

// A bool, a number or a string; whole numbers without a point or an exponent are int64, or uint64
// beyond. Fails the reader for anything else.
bool ReadParameterValue(JsonReader& reader, ParameterValue& value);

// Fails the reader for what is no whole number within 64 bits; `what` it is, for the message.
bool ReadInt64(JsonReader& reader, absl::string_view what, std::int64_t& value);

}  // namespace octet
