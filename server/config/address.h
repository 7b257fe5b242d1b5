// SPDX-License-Identifier: Apache-2.0
// Where a server listens, as the flags write it.

#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace octet {

// Whether `text` is "host:port", "[ipv6]:port" with a port of 0 to 65535, or "unix:PATH" with a
// path that fits into a socket's name. Returns INVALID_ARGUMENT saying what it got and wants.
absl::Status CheckAddress(absl::string_view text);

}  // namespace octet
