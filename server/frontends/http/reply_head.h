// SPDX-License-Identifier: Apache-2.0
// A reply's status line and header.

#pragma once

#include <cstdint>
#include <string>

#include "server/frontends/http/http_message.h"

namespace octet {

enum class ConnectionField : std::uint8_t { kKeepAlive, kClose };

// Up to and with the empty line. `version` is the request's: 10 or 11.
std::string ReplyHead(const HttpReply& reply, unsigned version, ConnectionField connection);

}  // namespace octet
