// SPDX-License-Identifier: Apache-2.0
// "host:port" and "unix:PATH", taken apart.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace octet::client {

struct HostAndPort {
  std::string host;  // without the brackets of an IPv6 address
  std::string port;
};

// Returns INVALID_ARGUMENT for what is not host:port.
absl::StatusOr<HostAndPort> SplitAddress(absl::string_view address);

[[nodiscard]] bool IsUnixAddress(absl::string_view address);

// Whether what is sent to `address` stays on this machine, as far as its letters tell: a Unix
// socket, localhost, 127.x.y.z, [::1]. Any other name is not looked up.
[[nodiscard]] bool IsOwnMachineAddress(absl::string_view address);

// Whether `host` is an IPv4 or IPv6 address and not a name.
[[nodiscard]] bool IsIpAddress(const std::string& host);

}  // namespace octet::client
