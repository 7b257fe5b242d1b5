// SPDX-License-Identifier: Apache-2.0
// What a connection asks for answers.

#pragma once

#include <cstddef>
#include <functional>
#include <variant>

#include "server/frontends/http/http_message.h"

namespace octet {

// Called once, on any thread.
using HttpAnswer = std::function<void(HttpReply)>;

// Thread safety: called by the connections' thread.
class HttpService {
 public:
  virtual ~HttpService() = default;

  // By a request's head: the most bytes that its body may have, or why it is not to come at all.
  virtual std::variant<std::size_t, HttpReply> Begin(const RequestHead& head,
                                                     const HttpPeer& peer) = 0;

  // The whole request, which Begin let in.
  virtual void Handle(HttpRequest request, HttpAnswer answer) = 0;

  // Whether connections are to end after their next answer.
  [[nodiscard]] virtual bool is_draining() const = 0;
};

}  // namespace octet
