// SPDX-License-Identifier: Apache-2.0
// Whether a caller is on the server's own machine.

#pragma once

#include <sys/socket.h>

#include "absl/strings/string_view.h"

namespace octet {

// Whether a caller's address, as gRPC writes it ("ipv4:127.0.0.1:40000"), is this machine's own:
// its loopback or a Unix socket.
bool IsOwnMachine(absl::string_view peer);

// The same of a socket's address; `size` is all of it that is there.
bool IsOwnMachine(const sockaddr* peer, std::size_t size);

}  // namespace octet
