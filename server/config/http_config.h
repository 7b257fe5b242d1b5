// SPDX-License-Identifier: Apache-2.0
// The configuration file's limits of HTTP connections.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "server/frontends/http/connection_limits.h"

namespace octet::config::v1 {
class ServerConfig;
}

namespace octet {

// Checked: every value is in its range.
struct HttpConfig {
  std::size_t max_connections = 256;  // of each address
  ConnectionLimits limits;
};

// Reads the message's `http`. Adds to `errors`; `origin` says where a field came from.
HttpConfig TakeHttp(const config::v1::ServerConfig& message,
                    const std::function<std::string(const std::string&)>& origin,
                    std::vector<std::string>& errors);

}  // namespace octet
