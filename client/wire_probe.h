// SPDX-License-Identifier: Apache-2.0
// What listens at an address, before anything of gRPC tries to.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace octet::client {

enum class WireKind : std::uint8_t {
  kHttp2,   // in plain text, as gRPC without TLS has it
  kTls,     // it answered with a record of TLS
  kHttp1,   // it speaks HTTP/1 alone
  kSilent,  // it closed, or said nothing in time: TLS may do that too
  kOther,   // it said something else
};

// Connects to "host:port" or "unix:PATH", begins HTTP/2 in plain text and looks at the first bytes
// that come back, for `timeout` at most, beside finding the name.
// Returns INVALID_ARGUMENT for what is no address, NOT_FOUND for a name that is not found,
// UNAVAILABLE where nobody listens, DEADLINE_EXCEEDED where the connection takes too long.
absl::StatusOr<WireKind> ProbeWire(const std::string& address, std::chrono::milliseconds timeout);

}  // namespace octet::client
