// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection: requests in, answers out, with limits on size and time.

#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "absl/strings/string_view.h"

#include "server/frontends/http/listener.h"
#include "server/frontends/http/routes.h"

namespace octet {

struct ConnectionOptions {
  std::chrono::milliseconds timeout{10'000};
  std::function<HttpReply(absl::string_view method, absl::string_view target)> answer;
  std::function<void()> on_close;  // called once, when the connection is gone
};

// Serves `socket` until it is closed or idle for the timeout. `options` is borrowed for as long as
// the socket's io_context runs. The connection belongs to its own pending operations.
//
// Limits: 8 KiB of header (431), 64 KiB of body (413); a body is read and dropped.
void ServeConnection(Listener::Socket socket, const ConnectionOptions& options);

}  // namespace octet
